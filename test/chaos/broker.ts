import { join } from "node:path";
import {
  connect,
  type JetStreamClient,
  type JetStreamManager,
  type NatsConnection,
  type StreamInfo,
} from "nats";
import { startNats } from "../../generator/dev/servers/nats-server.js";
import type { RunningServer } from "../../generator/dev/servers/process.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { OPERATOR, passwordOf, passwordVariables } from "../support/mesh-broker.js";
import { freePort, waitFor } from "../support/servers.js";

/** The broker of a run, one server or a JetStream cluster, and an operator's own connection to it, past all proxies. */
export interface ChaosBroker {
  readonly nodes: readonly BrokerNode[];
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** Undefined while it does not exist or has no leader. */
  stream(name: string): Promise<StreamInfo | undefined>;
  /** The node that leads this stream; undefined while none does. */
  leader(stream: string): Promise<BrokerNode | undefined>;
  stop(): Promise<void>;
}

export interface BrokerNode {
  readonly name: string;
  readonly port: number;
  /** Its streams are under here. */
  readonly folder: string;
  readonly server: RunningServer;
}

/** The emitted nats.conf, and the mesh whose users' passwords it needs. */
export interface Permissions {
  readonly mesh: Mesh;
  readonly configuration: string;
}

/** Without permissions anybody may do anything. */
export async function startBroker(
  folder: string,
  nodes: 1 | 3,
  permissions?: Permissions,
): Promise<ChaosBroker> {
  const started =
    nodes === 1
      ? [await startNode({ folder, number: 1, permissions })]
      : await startCluster(folder, permissions);
  const connection = await connect({
    ...(permissions && { user: OPERATOR, pass: passwordOf(OPERATOR) }),
    servers: started.map((node) => node.server.url.replace("nats://", "")),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    timeout: 5_000,
    name: "chaos",
  });
  const options = { timeout: 2_000 };
  const jsm = await connection.jetstreamManager({ ...options, checkAPI: false });
  await waitFor(async () => (await jsm.getAccountInfo()) !== undefined, {
    timeoutMs: 20_000,
    what: "JetStream to have a leader",
  });
  const stream = (name: string) => jsm.streams.info(name).catch(() => undefined);
  return {
    nodes: started,
    connection,
    js: connection.jetstream(options),
    jsm,
    stream,
    async leader(name) {
      if (started.length === 1) return started[0];
      const info = await stream(name);
      return started.find((node) => node.name === info?.cluster?.leader);
    },
    async stop() {
      await connection.close();
      await Promise.all(started.map((node) => node.server.stop()));
    },
  };
}

interface Node {
  readonly folder: string;
  readonly number: number;
  readonly permissions: Permissions | undefined;
  readonly configuration?: string;
}

async function startNode({ folder, number, permissions, configuration = "" }: Node): Promise<BrokerNode> {
  const own = join(folder, `nats-${number}`);
  const server = await startNats({
    folder: own,
    configuration: `${permissions?.configuration ?? ""}\n${configuration}`,
    ...(permissions && { env: passwordVariables(permissions.mesh) }),
  });
  const port = Number(new URL(server.url).port);
  const account = permissions === undefined ? "$G" : "MESH";
  return { name: `mesh_${port}`, port, folder: join(own, "jetstream", account, "streams"), server };
}

/** `no_advertise`: otherwise clients learn the nodes' own addresses and bypass the proxies. */
async function startCluster(
  folder: string,
  permissions: Permissions | undefined,
): Promise<readonly BrokerNode[]> {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const routes = ports.map((port) => `nats-route://127.0.0.1:${port}`).join(", ");
  return await Promise.all(
    ports.map((port, place) =>
      startNode({
        folder,
        number: place + 1,
        permissions,
        configuration: `cluster { name: chaos, listen: "127.0.0.1:${port}", routes: [${routes}], no_advertise: true }`,
      }),
    ),
  );
}
