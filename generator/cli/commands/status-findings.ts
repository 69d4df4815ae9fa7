import type { ConsumerStatus, ServiceStatus, SnapshotStatus } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";

/** An outbox whose first event is this old is not merely busy. */
const LATE_SECONDS = 60;

/**
 * What does not go away by itself: a database that does not answer, dead letters, failing cascades, failed snapshots, missing migrations,
 * streams and durables that the broker does not know, events that do not leave, and what a running service
 * says that it lacks, or that none answers.
 */
export function findingsOf(status: ServiceStatus, isBrokerSilent: boolean): readonly string[] {
  const { service, unanswered, migrations, consumers } = status;
  return [
    ...(unanswered?.database === undefined
      ? []
      : [`${service}: its database is out of reach: ${unanswered.database}`]),
    ...(unanswered?.broker === undefined || isBrokerSilent
      ? []
      : [`${service}: the broker does not say how its streams and consumers stand: ${unanswered.broker}`]),
    ...healthFindings(status),
    ...(migrations?.pending ?? []).map((name) => `${service}: migration ${name} is not applied`),
    ...outboxFindings(status),
    ...consumers.flatMap((consumer) => consumerFindings(service, consumer)),
    ...cascadeFindings(status),
    ...momentFindings(status),
  ];
}

/** Of the reasons that the service gives for being degraded, those that its database and the broker do not show themselves. */
function healthFindings({ service, health, consumers, differences }: ServiceStatus): string[] {
  if (health === undefined) return [];
  if (health.status === "silent") return [`${service}: does not answer: ${health.reasons.join("; ")}`];
  const shown = new Set([
    ...health.stalled.map(({ durable }) => durable),
    ...consumers
      .filter((one) => vanished(one) || one.snapshot?.error || one.snapshot?.wanted)
      .map(({ durable }) => durable),
  ]);
  // Read a moment ago, and the service looks twice a minute.
  const tables = differences === undefined ? [] : ["table ", "view "];
  const others = health.reasons.filter(
    (reason) =>
      !shown.has(/^consumer (\S+): /.exec(reason)?.[1] ?? "") &&
      !["stream ", ...tables].some((beginning) => reason.startsWith(beginning)),
  );
  return [
    ...health.stalled.map(({ durable, reason }) => `${service}: consumer ${durable} is stalled: ${reason}`),
    ...others.map((reason) => `${service}: ${health.status}: ${reason}`),
  ];
}

function outboxFindings({ service, outbox, stream }: ServiceStatus): string[] {
  const { oldestSeconds, waiting, deadLetters } = outbox ?? {};
  return [
    ...(stream === null
      ? [`${service}: the broker knows no stream of this service (mesh provision makes it)`]
      : []),
    ...((oldestSeconds ?? 0) > LATE_SECONDS
      ? [
          `${service}: ${plural(waiting ?? 0, "event")} in the outbox, the first for ${Math.round(oldestSeconds ?? 0)} s`,
        ]
      : []),
    ...((deadLetters ?? 0) > 0
      ? [`${service}: ${plural(deadLetters ?? 0, "dead letter")} of its outbox (mesh dlq list ${service})`]
      : []),
  ];
}

function consumerFindings(service: string, consumer: ConsumerStatus): string[] {
  const { durable, deadLetters, snapshot } = consumer;
  const gone = vanished(consumer);
  return [
    ...(gone === undefined ? [] : [`${service}: consumer ${durable}: ${gone}`]),
    ...((deadLetters ?? 0) > 0
      ? [`${service}: ${plural(deadLetters ?? 0, "dead letter")} of ${durable} (mesh dlq list ${service})`]
      : []),
    ...(snapshot?.error ? [`${service}: the last snapshot of ${durable} failed: ${snapshot.error}`] : []),
    // A consumer notes it when it sees that events were lost; the next snapshot answers it.
    ...(snapshot?.wanted ? [`${service}: a snapshot of ${durable} is wanted: ${snapshot.wanted}`] : []),
    ...(snapshot && snapshot.unfit > 0 ? [`${service}: ${unfitRows(durable, snapshot)}`] : []),
  ];
}

/** How many are named in one line; `--json` has more. */
const NAMED = 5;

function unfitRows(durable: string, { unfit, unfitRows }: SnapshotStatus): string {
  const named = unfitRows
    .slice(0, NAMED)
    .map(({ ordinal, id, reason }) => `${id ?? `element ${ordinal}`} (${reason})`);
  const more = unfit - named.length;
  return `the last snapshot of ${durable} could not take ${plural(unfit, "row")} of its source: ${named.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

/** The stream or durable that the broker does not have; undefined when both are there, or it was not asked. */
function vanished({ stream, streamFound, broker }: ConsumerStatus): string | undefined {
  if (streamFound === undefined || broker !== undefined) return undefined;
  const what = streamFound ? "the broker does not know its durable" : `the broker knows no stream ${stream}`;
  return `${what} (the service makes it anew where it may, else mesh provision does)`;
}

function cascadeFindings({ service, cascades }: ServiceStatus): string[] {
  if (cascades === undefined || cascades.failing === 0) return [];
  return [
    `${service}: a hook that fails holds up ${plural(cascades.failing, "row")}: ${cascades.lastError ?? "unknown"}`,
  ];
}

function momentFindings({ service, moments }: ServiceStatus): string[] {
  if (moments === undefined) return [];
  const { failing, lastError, lateSeconds } = moments;
  if (failing > 0)
    return [
      `${service}: ${plural(failing, "event")} at a time cannot be published: ${lastError ?? "unknown"}`,
    ];
  return (lateSeconds ?? 0) > LATE_SECONDS
    ? [`${service}: an event at a time is late by ${Math.round(lateSeconds ?? 0)} s`]
    : [];
}
