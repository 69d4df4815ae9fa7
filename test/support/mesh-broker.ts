import { provision } from "../../generator/dev/provisioning.js";
import { keepProvisioned } from "../../generator/dev/reprovision.js";
import { OPERATOR } from "../../generator/emit/documents/broker-accounts.js";
import { passwordVariableOf } from "../../generator/emit/documents/nats-conf.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { startNats, type TestNats } from "./servers.js";

export { OPERATOR } from "../../generator/emit/documents/broker-accounts.js";

/*
 * A broker as an operator would set it up: under the nats.conf that is emitted for the mesh, with its streams and
 * durables, which no service may make.
 */

export interface MeshBroker {
  readonly nats: TestNats;
  /** URL with the operator's credentials, who may do everything in the mesh's account. */
  readonly operatorUrl: string;
  /** Environment variables of a service; of the operator without a name. */
  environment(service?: string): Readonly<Record<"NATS_URL" | "NATS_USER" | "NATS_PASSWORD", string>>;
  /** Recreates deleted streams and durables, as `mesh dev` does, until the broker is removed. */
  keepProvisioned(): Promise<void>;
  remove(): Promise<void>;
}

export interface MeshBrokerOptions {
  readonly mesh: Mesh;
  /** Text of the emitted nats.conf. */
  readonly permissions: string;
  /** More configuration of the server: a cluster. */
  readonly configuration?: string;
}

/** The password of a user of `startMeshBroker`. */
export function passwordOf(user: string): string {
  return `pw_${user}`;
}

/** The variables with the passwords of all users, which nats.conf refers to. */
export function passwordVariables(mesh: Mesh): NodeJS.ProcessEnv {
  const users = [OPERATOR, ...mesh.services.map(({ name }) => name)];
  return Object.fromEntries(users.map((user) => [passwordVariableOf(user), passwordOf(user)]));
}

/** `nats://mesh_operator:…@127.0.0.1:4222` */
export function withLogin(url: string, user = OPERATOR, password = passwordOf(user)): string {
  const with_ = new URL(url);
  with_.username = user;
  with_.password = password;
  return with_.href;
}

function natsVariables(url: string, user = OPERATOR) {
  return { NATS_URL: url, NATS_USER: user, NATS_PASSWORD: passwordOf(user) } as const;
}

export async function startMeshBroker(options: MeshBrokerOptions): Promise<MeshBroker> {
  const { mesh, permissions, configuration = "" } = options;
  const nats = await startNats({
    configuration: `${permissions}\n${configuration}`,
    env: passwordVariables(mesh),
  });
  const provisioning = {
    login: { url: nats.url, user: OPERATOR, password: passwordOf(OPERATOR) },
    replicas: 1,
    standIn: true,
    onNotice: () => {},
  };
  await provision(mesh, provisioning);
  const stops: (() => Promise<void>)[] = [];
  return {
    nats,
    operatorUrl: withLogin(nats.url),
    environment: (service) => natsVariables(nats.url, service),
    async keepProvisioned() {
      stops.push(await keepProvisioned(mesh, provisioning));
    },
    async remove() {
      for (const stop of stops) await stop();
      await nats.remove();
    },
  };
}
