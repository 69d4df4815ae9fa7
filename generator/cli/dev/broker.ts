import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type NatsServer, startNats } from "./servers/nats.js";
import type { State } from "./state.js";
import { superviseServer } from "./supervisor.js";

export interface DevBroker {
  /** A client without credentials may do anything here; the services are held to their permissions. */
  readonly url: string;
  /** Broker variables of one service's environment. */
  environment(service: string): NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

export interface BrokerOptions {
  readonly state: State;
  /** External ones too: the server takes no user without a password. */
  readonly services: readonly string[];
  /** Folder of generated/nats.conf. */
  readonly generated: string;
  readonly port: number | undefined;
  readonly progress: (text: string) => void;
  /** Its server died, and what is done about it. */
  readonly onNotice?: (text: string) => void;
}

/** The user of generated/nats.conf who provisions and operates. */
const OPERATOR = "mesh_operator";

/** The broker at NATS_URL, else an embedded one under the generated permissions, with passwords made up for this run. */
export async function startBroker(options: BrokerOptions): Promise<DevBroker> {
  const given = process.env.NATS_URL;
  if (given) return { url: given, environment: () => ({}), stop: async () => {} };
  const permissions = await readFile(join(options.generated, "nats.conf"), "utf8");
  const passwords = new Map([OPERATOR, ...options.services].map((user) => [user, makePassword()]));
  const server: NatsServer = await startNats({
    folder: options.state.nats,
    port: options.port,
    // Its text and not an include: the server resolves those against its own file's folder, absolute paths too.
    configuration: `${permissions}\nno_auth_user: ${OPERATOR}\n`,
    env: Object.fromEntries([...passwords].map(([user, password]) => [passwordVariable(user), password])),
    progress: options.progress,
  });
  return {
    url: server.url,
    environment: (service) => ({ NATS_USER: service, NATS_PASSWORD: passwords.get(service) }),
    stop: superviseServer({ server, onNotice: options.onNotice ?? (() => {}) }),
  };
}

/** A letter first: the server reads a variable's value as configuration, where digits would become a number. */
function makePassword(): string {
  return `p${randomBytes(16).toString("hex")}`;
}

/** As generated/nats.conf names it. */
function passwordVariable(user: string): string {
  return `${user.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_NATS_PASSWORD`;
}
