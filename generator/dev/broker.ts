import { randomBytes } from "node:crypto";
import { LISTENER, LISTENER_PASSWORD, OPERATOR, passwordVariableOf } from "../emit/documents/nats-conf.js";
import { emitDevBroker } from "../emit/emit.js";
import type { Mesh } from "../model/mesh.js";
import { readTemplates } from "../project/package.js";
import { type NatsServer, startNats } from "./servers/nats-server.js";
import type { State } from "./state.js";
import { superviseServer } from "./supervisor.js";

export interface DevBroker {
  /** The services are held to their permissions here; a client without credentials hears every event, and no more. */
  readonly url: string;
  /** Who may do everything with the mesh's streams. Undefined at a broker of the user's that was given without credentials. */
  readonly operator: BrokerLogin | undefined;
  /** Broker variables of one service's environment. */
  environment(service: string): NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

export interface BrokerLogin {
  readonly user: string;
  readonly password: string;
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
  if (given)
    return { url: given, operator: givenLogin(given), environment: () => ({}), stop: async () => {} };
  const { mesh, state } = options;
  // External ones too: the server takes no user without a password.
  const users = [OPERATOR, ...mesh.services.map(({ name }) => name)];
  const passwords = new Map(users.map((user) => [user, makePassword()]));
  const password = (user: string) => passwords.get(user) ?? "";
  const server: NatsServer = await startNats({
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
  return {
    url: server.url,
    operator: { user: OPERATOR, password: password(OPERATOR) },
    environment: (service) => ({ NATS_USER: service, NATS_PASSWORD: password(service) }),
    stop: superviseServer({ server, onNotice: options.onNotice ?? (() => {}) }),
  };
}

/** At a broker of the user's: the login of who may make streams and durables, from the variables or the URL. */
function givenLogin(urls: string): BrokerLogin | undefined {
  const { NATS_USER: user, NATS_PASSWORD: password } = process.env;
  if (user) return { user, password: password ?? "" };
  const url = urls
    .split(",")
    .map((one) => new URL(one.includes("://") ? one.trim() : `nats://${one.trim()}`))
    .find(({ username }) => username !== "");
  return url && { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
}

/** A letter first: the server reads a variable's value as configuration, where digits would become a number. */
function makePassword(): string {
  return `p${randomBytes(16).toString("hex")}`;
}
