import { randomBytes } from "node:crypto";
import {
  type BrokerLogin,
  brokerLogin,
  checkBroker,
  credentialsOf,
  LOGIN_VARIABLES,
} from "@meshwright/runtime";
import { OPERATOR } from "../emit/documents/broker-accounts.js";
import { LISTENER, LISTENER_PASSWORD, passwordVariableOf } from "../emit/documents/nats-conf.js";
import { emitDevBroker } from "../emit/emit.js";
import type { Mesh } from "../model/mesh.js";
import { readTemplates } from "../project/package.js";
import { UsageError } from "../project/usage-error.js";
import { startNats } from "./servers/nats-server.js";
import type { State } from "./state.js";
import { superviseServer } from "./supervisor.js";

export interface DevBroker {
  /** The services are held to their permissions here; a client without credentials hears every event, and no more. */
  readonly url: string;
  /** Who may do everything with the mesh's streams. Undefined at a broker of the user's that was given without user and password. */
  readonly operator: { readonly user: string; readonly password: string } | undefined;
  /** How the streams are made: as whoever operates the mesh. */
  readonly login: BrokerLogin;
  /** Variables that services do not inherit: they are about another broker. */
  readonly withheld: readonly string[];
  /** Broker variables of one service's environment. */
  environment(service: string): NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

export interface BrokerOptions {
  readonly state: Pick<State, "nats">;
  readonly mesh: Mesh;
  readonly port: number | undefined;
  readonly progress: (text: string) => void;
  /** Called with a line for people when the server died, and when it is back. */
  readonly onNotice?: (text: string) => void;
}

/** The broker at NATS_URL, else an embedded one under the mesh's permissions, with passwords made up for this run. */
export async function startBroker(options: BrokerOptions): Promise<DevBroker> {
  const given = process.env.NATS_URL;
  if (given) return givenBroker(given);
  const { mesh, state } = options;
  // External ones too: the server takes no user without a password.
  const users = [OPERATOR, ...mesh.services.map(({ name }) => name)];
  const passwords = new Map(users.map((user) => [user, makePassword()]));
  const password = (user: string) => passwords.get(user) ?? "";
  const server = await startNats({
    folder: state.nats,
    port: options.port,
    // The text itself and no `include`: the server resolves those against the folder of its own file, absolute paths too.
    configuration: `${emitDevBroker(mesh, await readTemplates())}\nno_auth_user: ${LISTENER}\n`,
    env: {
      ...Object.fromEntries(users.map((user) => [passwordVariableOf(user), password(user)])),
      [LISTENER_PASSWORD]: makePassword(),
    },
    progress: options.progress,
  });
  const operator = { user: OPERATOR, password: password(OPERATOR) };
  return {
    url: server.url,
    operator,
    login: { url: server.url, ...operator },
    withheld: LOGIN_VARIABLES,
    environment: (service) => ({ NATS_USER: service, NATS_PASSWORD: password(service) }),
    stop: superviseServer({ server, onNotice: options.onNotice ?? (() => {}) }),
  };
}

/** A broker of the user's, where the login of the environment may make streams and durables. */
function givenBroker(url: string): DevBroker {
  const [problem] = checkBroker(process.env);
  if (problem !== undefined) throw new UsageError(problem);
  const login = brokerLogin(process.env);
  const { user, password } = credentialsOf(login);
  return {
    url,
    operator: user === undefined ? undefined : { user, password: password ?? "" },
    login,
    withheld: [],
    environment: () => ({}),
    stop: async () => {},
  };
}

/** A letter first: the server reads a variable's value as configuration, where digits would become a number. */
function makePassword(): string {
  return `p${randomBytes(16).toString("hex")}`;
}
