import { randomUUID } from "node:crypto";
import {
  DiscardPolicy,
  type JetStreamManager,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "nats";
import type { Logger } from "../definition/hook-definition.js";
import type { StreamDefinition } from "../definition/stream-definition.js";
import { messageOf } from "../text/error-message.js";
import type { StreamState } from "./broker.js";
import { isDenied, isStreamMissing, isStreamTaken, isUnsupported } from "./broker-errors.js";
import { streamThresholds } from "./monitor-thresholds.js";

/** Undefined where the stream does not exist, or this user may not ask about it. */
export async function readStream(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (isStreamMissing(error) || isDenied(error)) return undefined;
    throw error;
  }
}

/**
 * Key in the metadata of a stream or durable: an id that tells it from another of the same name. The time of creation does
 * not serve in a cluster: each node reports its own, milliseconds apart, so a change of leader would look like a recreation.
 */
const IDENTITY = "meshwright.id";

/** Adds a stream or durable with an id and thresholds in its metadata. Brokers before 2.10 have none, and the client does not send it to them. */
export async function addIdentified<Config extends object, Info>(
  config: Config,
  thresholds: Readonly<Record<string, string>>,
  add: (config: Config & { readonly metadata?: Record<string, string> }) => Promise<Info>,
): Promise<Info> {
  try {
    return await add({ ...config, metadata: { ...thresholds, [IDENTITY]: randomUUID() } });
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    return await add(config);
  }
}

/** With these thresholds; undefined where they are there, or the metadata is not ours to write. */
export function withThresholds(
  metadata: Record<string, string> | undefined,
  thresholds: Readonly<Record<string, string>>,
): Record<string, string> | undefined {
  if (metadata?.[IDENTITY] === undefined) return undefined;
  const differs = Object.entries(thresholds).some(([key, value]) => metadata[key] !== value);
  return differs ? { ...metadata, ...thresholds } : undefined;
}

export function identityOf(metadata: Record<string, string> | undefined, created: unknown): string {
  return metadata?.[IDENTITY] ?? String(created);
}

export function stateOf({ config, created, state }: StreamInfo): StreamState {
  return {
    name: config.name,
    created: identityOf(config.metadata, created),
    firstSeq: state.first_seq,
    lastSeq: state.last_seq,
    messages: state.messages,
    bytes: state.bytes,
  };
}

export async function ensureStream(
  manager: JetStreamManager,
  plan: StreamDefinition,
  logger: Logger,
): Promise<StreamState | undefined> {
  const present = await readStream(manager, plan.name);
  if (plan.external) return present && stateOf(present);
  if (!present) return createStream(manager, plan, logger);
  const differing = settingsThatDiffer(present.config, plan);
  if (differing.length === 0) return stateOf(present);
  return stateOf(await adjustStream(manager, { present, plan, differing, logger }));
}

async function createStream(
  manager: JetStreamManager,
  plan: StreamDefinition,
  logger: Logger,
): Promise<StreamState | undefined> {
  try {
    const made = await addIdentified(configOf(plan), streamThresholds(plan), (config) =>
      manager.streams.add(config),
    );
    logger.info({ stream: plan.name, subjects: plan.subjects }, "stream created");
    return stateOf(made);
  } catch (error) {
    // Denied: a provisioner has to create it. Taken: another replica has created it first.
    if (isDenied(error)) return undefined;
    if (!isStreamTaken(error)) throw error;
    const present = await readStream(manager, plan.name);
    return present && stateOf(present);
  }
}

type Settings = Pick<
  StreamConfig,
  | "subjects"
  | "storage"
  | "retention"
  | "discard"
  | "max_age"
  | "max_msgs"
  | "max_bytes"
  | "duplicate_window"
  | "num_replicas"
> & { readonly max_msgs_per_subject?: number };

/**
 * `discard: old`, since under limits retention a full stream is the normal state: it keeps what was consumed long ago. With
 * `discard: new` a full stream would refuse every later event. A consumer that fell behind the oldest message loses
 * events under either; its snapshot heals it. Of dead letters none may go: a full stream refuses, and what it refuses is
 * not acknowledged.
 */
function configOf(plan: StreamDefinition): Settings & { readonly name: string } {
  return {
    name: plan.name,
    subjects: [...plan.subjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: plan.deadLetters ? DiscardPolicy.New : DiscardPolicy.Old,
    ...(plan.deadLetters ? { max_msgs_per_subject: 1 } : {}),
    max_age: nanos(plan.maxAgeSeconds * 1_000),
    max_msgs: plan.maxMessages,
    max_bytes: plan.maxBytes,
    duplicate_window: nanos(plan.duplicateWindowSeconds * 1_000),
    num_replicas: plan.replicas ?? 1,
  };
}

/** Settings that only creation sets: changing them would mean a new stream, and the loss of its messages. */
const FIXED: ReadonlySet<string> = new Set(["storage", "retention"]);

interface Difference {
  readonly setting: keyof Settings;
  readonly is: unknown;
  readonly wanted: unknown;
}

function settingsThatDiffer(config: StreamConfig, plan: StreamDefinition): Difference[] {
  const { name: _, ...wanted } = configOf(plan);
  const differences: Difference[] = [];
  for (const setting of Object.keys(wanted) as (keyof Settings)[]) {
    // An operator's number of replicas stands unless mesh.yaml says one.
    if (setting === "num_replicas" && plan.replicas === undefined) continue;
    const same =
      setting === "subjects"
        ? plan.subjects.every((subject) => config.subjects.includes(subject))
        : config[setting] === wanted[setting];
    if (!same) differences.push({ setting, is: config[setting], wanted: wanted[setting] });
  }
  return differences;
}

interface Adjustment {
  readonly present: StreamInfo;
  readonly plan: StreamDefinition;
  readonly differing: readonly Difference[];
  readonly logger: Logger;
}

/** Brings an existing stream as near to the plan as possible. Subjects are only added: others may rely on the rest. */
async function adjustStream(manager: JetStreamManager, adjustment: Adjustment): Promise<StreamInfo> {
  const { present, plan, differing, logger } = adjustment;
  const fixed = differing.filter(({ setting }) => FIXED.has(setting));
  const changes = differing.filter(({ setting }) => !FIXED.has(setting));
  if (fixed.length > 0) {
    logger.warn(
      { stream: plan.name, differing: fixed },
      "stream has settings that cannot be changed any more",
    );
  }
  if (changes.length === 0) return present;
  const updates: Record<string, unknown> = {};
  for (const { setting, wanted } of changes) updates[setting] = wanted;
  if ("subjects" in updates) updates.subjects = [...new Set([...present.config.subjects, ...plan.subjects])];
  const metadata = withThresholds(present.config.metadata, streamThresholds(plan));
  if (metadata) updates.metadata = metadata;
  try {
    const updated = await manager.streams.update(plan.name, updates);
    logger.warn({ stream: plan.name, changes }, "stream differed from the plan and was updated");
    return updated;
  } catch (error) {
    logger.warn(
      { stream: plan.name, differing, error: messageOf(error) },
      "stream differs from the plan and was left as it is",
    );
    return present;
  }
}
