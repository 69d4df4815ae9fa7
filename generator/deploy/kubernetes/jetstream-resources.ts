import { planDocument } from "../../emit/documents/broker-plan.js";
import { openLookup } from "../../emit/lookup.js";
import type { Mesh } from "../../model/mesh.js";
import { hostLabel } from "../deployment.js";
import { brokerReplicas } from "./jobs.js";
import { BROKER_URL, type KubernetesObject } from "./object.js";

/*
 * Streams and durables as resources of NACK, in place of `mesh provision`: what NACK manages it enforces, and two may not make one stream.
 * A resource that is deleted leaves its stream and its messages. Its controller logs in as the account says, which it heeds in its control loop.
 */

/** Of plan.json, in JetStream's own words. */
interface Plan {
  readonly streams: readonly { readonly external?: true; readonly config: Config }[];
  readonly consumers: readonly { readonly stream: string; readonly config: Config }[];
}

type Config = Readonly<Record<string, unknown>>;

/** How NACK calls a setting, and how it writes its value. */
type Spelling = readonly [name: string, write?: (value: unknown) => unknown];

const SPELLINGS: Readonly<Record<string, Spelling>> = {
  name: ["name"],
  description: ["description"],
  subjects: ["subjects"],
  retention: ["retention"],
  storage: ["storage"],
  discard: ["discard"],
  num_replicas: ["replicas"],
  max_age: ["maxAge", duration],
  max_msgs: ["maxMsgs"],
  max_msgs_per_subject: ["maxMsgsPerSubject"],
  max_bytes: ["maxBytes"],
  duplicate_window: ["duplicateWindow", duration],
  durable_name: ["durableName"],
  filter_subject: ["filterSubject"],
  deliver_policy: ["deliverPolicy"],
  ack_policy: ["ackPolicy"],
  ack_wait: ["ackWait", duration],
  max_deliver: ["maxDeliver"],
  max_ack_pending: ["maxAckPending"],
  metadata: ["metadata"],
};

/** As whom the controller connects: the operator, in the account that the streams are in. */
const ACCOUNT = "mesh";

export function jetStreamResources(mesh: Mesh): readonly KubernetesObject[] {
  const { streams, consumers } = planDocument(openLookup(mesh)) as unknown as Plan;
  // Of an external owner's stream only the subjects are known.
  const made = streams.filter(({ config }) => config.retention !== undefined);
  return [
    {
      apiVersion: "jetstream.nats.io/v1beta2",
      kind: "Account",
      metadata: { name: ACCOUNT },
      spec: {
        name: ACCOUNT,
        servers: [BROKER_URL],
        // The names of the secret's keys.
        user: { secret: { name: "job-provision" }, user: "NATS_USER", password: "NATS_PASSWORD" },
      },
    },
    ...made.map(({ config }) =>
      resource("Stream", String(config.name), {
        ...spell({ ...config, num_replicas: config.num_replicas ?? brokerReplicas(1) }),
        preventDelete: true,
      }),
    ),
    ...consumers.map(({ stream, config }) =>
      resource("Consumer", String(config.durable_name), {
        streamName: stream,
        ...spell(config),
        preventDelete: true,
      }),
    ),
  ];
}

function resource(kind: "Stream" | "Consumer", name: string, spec: object): KubernetesObject {
  return {
    apiVersion: "jetstream.nats.io/v1beta2",
    kind,
    metadata: { name: hostLabel(name) },
    spec: { ...spec, account: ACCOUNT },
  };
}

function spell(config: Config): Config {
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      if (value === undefined) return [];
      const [name, write = (same: unknown) => same] = SPELLINGS[key] ?? unknownSetting(key);
      return [[name, write(value)] as const];
    }),
  );
}

function unknownSetting(key: string): never {
  throw new Error(`plan.json has the setting "${key}", which this does not know in NACK's words`);
}

/** Of nanoseconds, as Go writes it; 0 is for ever. */
function duration(nanoseconds: unknown): string {
  return Number(nanoseconds) === 0 ? "" : `${Number(nanoseconds) / 1e9}s`;
}
