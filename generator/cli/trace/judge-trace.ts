import { describeSettlement, reasonOf } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import type { Consequence, EntityTrace, TracedSubscriber } from "./trace-entity.js";

/*
 * What of a trace waits for a person, and what to do about it. Pure.
 */

export interface Problem {
  readonly problem: string;
  readonly remedy: string;
}

/** An event on its way for so long is not merely on its way. */
const LATE_SECONDS = 60;

export function problemsOf(trace: EntityTrace): readonly Problem[] {
  return [
    ...ownerProblems(trace),
    ...streamProblems(trace),
    ...trace.subscribers.flatMap((one) => subscriberProblems(trace, one)),
    ...trace.caused.flatMap(consequenceProblems),
  ];
}

function ownerProblems({ owner, stream, subscribers }: EntityTrace): Problem[] {
  if (owner === undefined) return [];
  const { service } = owner;
  if ("unreachable" in owner)
    return [
      {
        problem: `${service}: its database is out of reach: ${owner.unreachable}`,
        remedy: "start it, and trace again",
      },
    ];
  const [first] = owner.waiting;
  const isUnknown =
    owner.version === null &&
    (owner.row ?? "missing") === "missing" &&
    stream !== undefined &&
    "events" in stream &&
    stream.events.length === 0 &&
    subscribers.every(({ standing }) => standing.kind === "nothing");
  return [
    ...(isUnknown
      ? [{ problem: "nobody knows it: no row, no version, no event", remedy: "see whether the id is right" }]
      : []),
    ...(first !== undefined && first.ageSeconds > LATE_SECONDS
      ? [
          {
            problem: `${service}: its event ${first.subject} waits in the outbox for ${age(first.ageSeconds)}`,
            remedy: `see whether ${service} runs and reaches the broker: mesh status`,
          },
        ]
      : []),
    ...owner.refused
      .filter(({ settled }) => settled === null)
      .map(({ id, subject, error }) => ({
        problem: `${service}: ${subject} must not be published: ${reasonOf(error)}`,
        remedy: `mesh dlq show ${service} ${id}, then redrive or discard it`,
      })),
    ...owner.moments
      .filter(({ attempts }) => attempts > 0)
      .map(({ event, lastError }) => ({
        problem: `${service}: the moment of ${event} could not be published: ${lastError}`,
        remedy: "it is tried again; mend the row, or what refuses its event",
      })),
  ];
}

function streamProblems({ stream }: EntityTrace): Problem[] {
  return stream !== undefined && "unreachable" in stream
    ? [{ problem: `the broker is out of reach: ${stream.unreachable}`, remedy: "start it, and trace again" }]
    : [];
}

function subscriberProblems(trace: EntityTrace, one: TracedSubscriber): Problem[] {
  const { service } = one;
  if (one.trace !== undefined && "unreachable" in one.trace)
    return [
      {
        problem: `${service}: it cannot be asked: ${one.trace.unreachable}`,
        remedy: "start its database, and trace again",
      },
    ];
  return [
    ...standingProblems(trace, one),
    ...copyProblems(trace, one),
    ...(one.trace?.tasks ?? [])
      .filter(({ attempts }) => attempts > 1)
      .map((task) => ({
        problem: `${service}: the row ${task.rowKey} of ${task.table} stays until ${task.hook} succeeds: ${task.error ?? "it is being called"}`,
        remedy: `mend what ${task.hook} calls; it is tried again ${inSeconds(task.nextInSeconds)}`,
      })),
  ];
}

/** Whether the broker has an event of what its owner has neither a row nor a version of: there is nothing that a subscriber could lack. */
export function isOfNoRow({ owner }: EntityTrace, { standing, trace }: TracedSubscriber): boolean {
  if (standing.kind !== "passed over" && standing.kind !== "discarded") return false;
  if (owner === undefined || "unreachable" in owner || owner.table === undefined) return false;
  const hasCopy = trace !== undefined && "copy" in trace && trace.copy?.row === "there";
  return owner.version === null && owner.row === "missing" && owner.waiting.length === 0 && !hasCopy;
}

function standingProblems(found: EntityTrace, one: TracedSubscriber): Problem[] {
  const { owner } = found;
  const { service, durable, standing, trace } = one;
  switch (standing.kind) {
    case "applied":
    case "snapshot":
    case "not heard":
    case "unknown":
      return [];
    case "dead":
      return [
        {
          problem: `${service}: it is a dead letter: ${reasonOf(standing.letter.error)}`,
          remedy: `mend the cause, then mesh dlq redrive ${service} ${standing.letter.id}`,
        },
      ];
    case "discarded":
      return isOfNoRow(found, one) || trace === undefined || !("copy" in trace)
        ? []
        : [
            {
              problem: `${service}: it lacks the event, whose dead letter an operator let go: ${describeSettlement(standing.settled)}`,
              remedy: `mesh resync ${service}, which brings the row as its owner has it`,
            },
          ];
    case "retrying":
    case "behind":
      return [
        {
          problem: `${service}: ${standing.kind === "behind" ? "an earlier event of it" : "it"} failed ${plural(standing.retry.attempts, "time")}: ${standing.retry.error ?? "the attempt is under way"}`,
          remedy: `the next attempt is ${inSeconds(standing.retry.nextInSeconds)}; what fails to the last becomes a dead letter`,
        },
      ];
    case "waiting":
      return standing.ageSeconds > LATE_SECONDS
        ? [
            {
              problem: `${service}: it waits for ${age(standing.ageSeconds)} among ${plural(standing.before, "message")} of ${durable}`,
              remedy: `see whether ${service} runs: mesh status`,
            },
          ]
        : [];
    case "passed over":
      return isOfNoRow(found, one)
        ? []
        : [
            {
              problem: `${service}: the event is settled at the broker, and nothing of it is there: the database is older than the event`,
              remedy: `mesh resync ${service}, which brings the row as its owner has it`,
            },
          ];
    case "not started":
      return [
        {
          problem: `${service}: its consumer has never run`,
          remedy: `start ${service}: mesh run ${service}`,
        },
      ];
    case "nothing": {
      // Who keeps no copy may hear actions alone that it never had.
      const keepsCopy = trace !== undefined && "copy" in trace;
      const isThere = owner !== undefined && "row" in owner && owner.row === "there";
      return keepsCopy && isThere && owner.waiting.length === 0
        ? [
            {
              problem: `${service}: neither an event nor a snapshot of it has come`,
              remedy: `mesh resync ${service}; a row that is older than the triggers has no event`,
            },
          ]
        : [];
    }
    default:
      return standing satisfies never;
  }
}

/** The copy against the owner's row, where everything that was published is applied. */
function copyProblems({ owner }: EntityTrace, { service, standing, trace }: TracedSubscriber): Problem[] {
  if (trace === undefined || "unreachable" in trace || trace.copy === undefined) return [];
  const { table, row, partial } = trace.copy;
  const isSettled = standing.kind === "applied" || standing.kind === "snapshot";
  if (!isSettled) return [];
  const unfit = trace.unfit.map((reason) => ({
    problem: `${service}: the last snapshot could not take its row: ${reason}`,
    remedy: `mend the row at its owner, then mesh resync ${service}`,
  }));
  if (row === "missing" && !standing.deleted && !partial)
    return [
      ...unfit,
      {
        problem: `${service}: ${table} lacks its row`,
        remedy: `mesh verify ${service}, then mesh resync ${service}`,
      },
    ];
  if (row === "there" && standing.deleted)
    return [
      ...unfit,
      {
        problem: `${service}: ${table} has a row of what is deleted`,
        remedy: `mesh verify ${service}, then mesh resync ${service}`,
      },
    ];
  const isGone = owner !== undefined && "row" in owner && owner.row !== "there" && owner.waiting.length === 0;
  if (row === "there" && isGone)
    return [
      ...unfit,
      { problem: `${service}: ${table} has a row that its owner lacks`, remedy: `mesh resync ${service}` },
    ];
  return unfit;
}

function consequenceProblems(one: Consequence): Problem[] {
  switch (one.kind) {
    case "event":
      return one.caused.flatMap(consequenceProblems);
    case "outbox":
      return one.event.ageSeconds > LATE_SECONDS
        ? [
            {
              problem: `${one.service}: ${one.event.subject} waits in the outbox for ${age(one.event.ageSeconds)}`,
              remedy: `see whether ${one.service} runs and reaches the broker: mesh status`,
            },
          ]
        : [];
    case "task":
      return [];
    default:
      return one satisfies never;
  }
}

/** `3 s`, `5 min`, `2 h`, `3 days` */
export function age(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

export function inSeconds(seconds: number): string {
  return seconds <= 0 ? "due now" : `in ${age(seconds)}`;
}
