import {
  type Broker,
  type BrokerLogin,
  connectJetStream,
  deadLetterStreamOf,
  type StreamDefinition,
} from "@meshwright/runtime";
import { unprocessedLimit } from "@meshwright/runtime/monitor-thresholds";
import type { Mesh, Stream } from "../model/mesh.js";
import { quietLogger } from "../terminal/terminal.js";

export interface Provisioning {
  /** Who may create streams and durables. Without user and password, as the URL says. */
  readonly login: BrokerLogin;
  /** Of a new stream for which the file says no number. A broker that is no cluster keeps one. */
  readonly replicas: number;
  /** Makes the streams of external owners too: on a laptop nobody else does. */
  readonly standIn: boolean;
  readonly onNotice: (service: string, text: string) => void;
}

/**
 * Creates the streams and durables that the services may use and may not create themselves, as
 * whoever operates the broker. What is there already is brought up to the plan and keeps its messages;
 * an external owner's stream stays as it is. Resolves with the streams that are still missing.
 */
export async function provision(mesh: Mesh, options: Provisioning): Promise<readonly string[]> {
  const broker = await connectJetStream({ ...options.login, name: "mesh_operator", logger: quietLogger });
  try {
    return await provisionOn(broker, mesh, options);
  } finally {
    await broker.close();
  }
}

/** The same on the caller's connection, for who provisions repeatedly. */
export async function provisionOn(
  broker: Broker,
  mesh: Mesh,
  options: Omit<Provisioning, "login">,
): Promise<readonly string[]> {
  for (const stream of mesh.streams) {
    if (!stream.external || stream.described) await makeStream(broker, planOf(stream), options);
    else if (options.standIn) await standInForOwner(broker, stream, options);
  }
  const letters = deadLetterStreams(mesh);
  for (const each of letters) await makeStream(broker, each, options);
  const names = [...mesh.streams, ...letters.map(({ stream }) => stream)].map(({ name }) => name);
  const present = new Set<string>();
  for (const name of names) if (await broker.streamState(name)) present.add(name);
  const limits = new Map(mesh.streams.map((stream) => [stream.name, unprocessedLimit(stream)]));
  for (const consumer of mesh.services.flatMap((service) => service.consumers)) {
    // An external owner's stream that could not be made; its consumers wait for it.
    if (!present.has(consumer.stream)) continue;
    await broker.ensureConsumer({
      stream: consumer.stream,
      durable: consumer.durable,
      filter: consumer.filter,
      ackWaitSeconds: consumer.delivery.ackWaitSeconds,
      maxAckPending: consumer.delivery.maxAckPending,
      unprocessedLimit: limits.get(consumer.stream),
    });
  }
  return names.filter((name) => !present.has(name));
}

interface StreamToMake {
  readonly service: string;
  readonly stream: Omit<StreamDefinition, "replicas">;
  readonly replicas: number | undefined;
}

function planOf({
  external: _,
  described: __,
  envelope: ___,
  replicas,
  service,
  ...stream
}: Stream): StreamToMake {
  return { service, replicas, stream };
}

/** Of the services without a database. */
export function deadLetterStreams({ services }: Mesh): readonly StreamToMake[] {
  return services.flatMap(({ name: service, deadLetters }) => {
    if (deadLetters === undefined) return [];
    const { stream: name, replicas } = deadLetters;
    return [{ service, stream: deadLetterStreamOf({ service, name }), replicas }];
  });
}

async function makeStream(
  broker: Broker,
  { service, stream, replicas }: StreamToMake,
  options: Omit<Provisioning, "login">,
): Promise<void> {
  // A stream that is there keeps the replicas that its operator gave it, unless mesh.yaml says a number.
  if (replicas !== undefined || options.replicas === 1 || (await broker.streamState(stream.name))) {
    await broker.ensureStream({ ...stream, ...(replicas === undefined ? {} : { replicas }) });
    return;
  }
  try {
    await broker.ensureStream({ ...stream, replicas: options.replicas });
  } catch (error) {
    if (!(error instanceof Error) || !/non-clustered|no suitable peers/.test(error.message)) throw error;
    options.onNotice(
      service,
      `stream ${stream.name} has one replica, not ${options.replicas}: ${error.message}`,
    );
    await broker.ensureStream(stream);
  }
}

/**
 * On a laptop nobody else makes an external owner's stream: the owner's own user may not, and may not even run.
 * An owner that keeps these subjects in a stream of another name makes this impossible, which ends nothing.
 */
async function standInForOwner(
  broker: Broker,
  stream: Stream,
  options: Omit<Provisioning, "login">,
): Promise<void> {
  if (await broker.streamState(stream.name)) return;
  await makeStream(broker, planOf(stream), options).catch((error: Error) =>
    options.onNotice(
      stream.service,
      `is external, and its stream ${stream.name} cannot be made: ${error.message}`,
    ),
  );
}
