import {
  consumerThresholds,
  streamThresholds,
  unprocessedLimit,
} from "@meshwright/runtime/monitor-thresholds";
import type { Service, Stream, Subscription } from "../../model/mesh.js";
import type { Lookup } from "../lookup.js";
import type { Literal } from "../print/layout.js";

/** plan.json: what a provisioner creates, in the words of JetStream's API, so that it can be passed on as it is. */
export function planDocument(lookup: Lookup): Literal {
  const { mesh, subscriptions } = lookup;
  return {
    mesh: mesh.name,
    streams: [...mesh.streams.map(streamPlan), ...mesh.services.flatMap(deadLetterPlan)],
    consumers: subscriptions.map((one) => consumerPlan(one, lookup)),
  };
}

/** Of an external owner's stream only name and subjects, unless mesh.yaml says how it keeps its messages. */
export function streamPlan(stream: Stream): Literal {
  const { name, subjects, service } = stream;
  const external = stream.external ? true : undefined;
  if (external && !stream.described) return { service, external, config: { name, subjects } };
  return {
    service,
    external,
    config: {
      name,
      subjects,
      retention: "limits",
      storage: "file",
      discard: "old",
      num_replicas: stream.replicas,
      max_age: nanoseconds(stream.maxAgeSeconds),
      max_msgs: stream.maxMessages,
      max_bytes: stream.maxBytes,
      duplicate_window: nanoseconds(stream.duplicateWindowSeconds),
      metadata:
        stream.replicas === undefined
          ? undefined
          : saidMetadata(streamThresholds({ replicas: stream.replicas })),
    },
  };
}

/** It refuses what it has no room for: a dead letter is not to be forgotten. */
function deadLetterPlan({ name, deadLetters }: Service): Literal[] {
  if (deadLetters === undefined) return [];
  const config = {
    name: deadLetters.stream,
    subjects: [`$MESH.${name}.>`],
    retention: "limits",
    storage: "file",
    discard: "new",
    num_replicas: deadLetters.replicas,
    max_age: 0,
    max_msgs: 1_000_000,
    max_msgs_per_subject: 1,
    max_bytes: 2 ** 30,
    duplicate_window: nanoseconds(120),
  };
  return [{ service: name, config }];
}

export function consumerPlan({ service, consumer }: Subscription, lookup: Lookup): Literal {
  return {
    service: service.name,
    external: service.external ? true : undefined,
    stream: consumer.stream,
    entity: consumer.entity,
    cache: consumer.cache,
    config: {
      durable_name: consumer.durable,
      filter_subject: consumer.filter,
      deliver_policy: "all",
      ack_policy: "explicit",
      ack_wait: nanoseconds(consumer.delivery.ackWaitSeconds),
      max_deliver: -1,
      max_ack_pending: consumer.delivery.maxAckPending,
      metadata: saidMetadata(
        consumerThresholds({ unprocessedLimit: unprocessedLimit(lookup.stream(consumer.stream)) }),
      ),
    },
    delivery: service.external
      ? undefined
      : { attempts: consumer.delivery.attempts, backoff_seconds: consumer.delivery.backoffSeconds },
  };
}

function saidMetadata(metadata: Readonly<Record<string, string>>): Literal | undefined {
  return Object.keys(metadata).length === 0 ? undefined : metadata;
}

function nanoseconds(seconds: number): number {
  return seconds * 1e9;
}
