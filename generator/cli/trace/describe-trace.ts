import { describeSettlement, type RowStanding, reasonOf, type Standing } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import { oneLine, shorten } from "../../quote/visible.js";
import { colour } from "../../terminal/terminal.js";
import { age, inSeconds, isOfNoRow, type Problem } from "./judge-trace.js";
import type { Consequence, EntityTrace, TracedSubscriber } from "./trace-entity.js";

/*
 * A trace as lines for a person.
 */

const SHOWN_EVENTS = 5;

export function describeTrace(trace: EntityTrace, problems: readonly Problem[]): readonly string[] {
  return [
    colour.bold(said(`${trace.entity} ${trace.id}`)),
    ...ownerLines(trace),
    ...streamLines(trace),
    ...trace.subscribers.map((one) => line(one.service, subscriberText(trace, one))),
    ...(trace.subscribers.length === 0 ? [line("subscribers", "none: no service of the mesh hears it")] : []),
    ...(trace.caused.length === 0
      ? []
      : [
          "",
          colour.dim("and what that caused"),
          ...trace.caused.flatMap((one) => causedLines(one, trace, "  ")),
        ]),
    "",
    ...(problems.length === 0
      ? [colour.green("nothing is stuck")]
      : problems.flatMap(({ problem, remedy }) => [
          colour.yellow(said(problem)),
          `  ${colour.dim("do:")} ${said(remedy)}`,
        ])),
  ];
}

function ownerLines({ owner }: EntityTrace): string[] {
  if (owner === undefined) return [line("row", "its owner is external: its database is not ours to ask")];
  const { service } = owner;
  if ("unreachable" in owner) return [line("row", `not known: ${service}'s database is out of reach`)];
  const version = owner.version === null ? "no version yet" : `version ${owner.version}`;
  const row =
    owner.table === undefined
      ? `no table of ${service} is it; ${version}`
      : `${rowText(owner.row)} ${owner.table} of ${service}, ${version}`;
  const waiting = owner.waiting.map(
    ({ subject, version: of, ageSeconds, behind }) =>
      `${subject} version ${of} waits for ${age(ageSeconds)}, ${behind === 0 ? "first in line" : `behind ${plural(behind, "row")}`}`,
  );
  return [
    line("row", row),
    ...(waiting.length === 0
      ? [line("outbox", "nothing of it waits")]
      : waiting.map((text) => line("outbox", text))),
    ...owner.refused.map(({ id, subject, error, settled }) =>
      line(
        "outbox",
        `${subject} is dead letter ${id}: ${settled === null ? reasonOf(error) : describeSettlement(settled)}`,
      ),
    ),
    ...owner.moments.map(({ event, dueAt }) => line("moment", `${event} at ${dueAt}`)),
  ];
}

function streamLines({ stream, event }: EntityTrace): string[] {
  if (stream === undefined) return [];
  if ("unreachable" in stream) return [line("stream", `not known: ${stream.unreachable}`)];
  const { name, events } = stream;
  if (events.length === 0) return [line("stream", `${name} has no event of it, or no longer`)];
  const shown = events.slice(-SHOWN_EVENTS);
  return [
    ...(shown.length < events.length ? [line("stream", `${events.length - shown.length} earlier ones`)] : []),
    ...shown.map((one) => {
      const text = `${name} #${one.seq} ${one.action ?? one.subject.split(".").at(-1)}${one.version === null ? "" : ` version ${one.version}`}, ${since(one.at)} ago`;
      const id = one.eventId === null ? "" : colour.dim(`  ${one.eventId}`);
      return line("stream", one === event ? `${text}${id}` : colour.dim(text));
    }),
  ];
}

function subscriberText(found: EntityTrace, one: TracedSubscriber): string {
  const { standing, trace } = one;
  if (trace !== undefined && "unreachable" in trace) return colour.yellow("not known: it cannot be asked");
  if (isOfNoRow(found, one))
    return `no event of a row: ${found.owner?.service} has no such ${found.entity.slice(found.entity.indexOf(".") + 1)} and never counted it, so there is nothing to do`;
  return `${standingText(standing)}${copyText(trace?.copy)}`;
}

function copyText(
  copy: { readonly table: string; readonly row: RowStanding; readonly partial: boolean } | undefined,
): string {
  if (copy === undefined) return "";
  const why = copy.row === "missing" && copy.partial ? " (it keeps only rows that meet its condition)" : "";
  return `; ${rowText(copy.row)} ${copy.table}${why}`;
}

function standingText(standing: Standing): string {
  switch (standing.kind) {
    case "applied":
      return colour.green(
        `applied${standing.version === null ? "" : `, version ${standing.version}`}${standing.deleted ? ", deleted" : ""}`,
      );
    case "snapshot":
      return colour.green(
        `known by a snapshot${standing.at === null ? "" : ` of ${standing.at}`}${standing.deleted ? ": deleted" : ""}`,
      );
    case "retrying":
      return colour.yellow(
        `retrying: ${plural(standing.retry.attempts, "attempt")} so far, the next ${inSeconds(standing.retry.nextInSeconds)}`,
      );
    case "behind":
      return colour.yellow(
        `waits behind its own event #${standing.retry.seq}, which is retried ${inSeconds(standing.retry.nextInSeconds)}`,
      );
    case "dead":
      return colour.red(
        `dead letter ${standing.letter.id}, after ${plural(standing.letter.attempts, "attempt")}`,
      );
    case "discarded":
      return colour.yellow(`a dead letter: ${describeSettlement(standing.settled)}`);
    case "waiting":
      return `waits, among ${plural(standing.before, "message")}, for ${age(standing.ageSeconds)}`;
    case "passed over":
      return colour.red("settled at the broker, and not there");
    case "not started":
      return colour.yellow("its consumer has never run");
    case "not heard":
      return "does not hear that event";
    case "nothing":
      return "knows nothing of it";
    case "unknown":
      return colour.yellow("not known: the broker cannot be asked");
    default:
      return standing satisfies never;
  }
}

function causedLines(one: Consequence, trace: EntityTrace, indent: string): string[] {
  switch (one.kind) {
    case "event": {
      const { event } = one;
      const later = (Date.parse(event.at) - Date.parse(trace.event?.at ?? event.at)) / 1_000;
      return [
        `${indent}${said(event.subject)}  ${colour.dim(`${event.stream} #${event.seq}, ${age(Math.max(0, later))} later`)}`,
        ...one.caused.flatMap((next) => causedLines(next, trace, `${indent}  `)),
      ];
    }
    case "outbox":
      return [
        `${indent}${said(one.event.subject)}  ${colour.yellow(`waits in the outbox of ${one.service} for ${age(one.event.ageSeconds)}`)}`,
      ];
    case "task":
      return [
        `${indent}${said(`${one.task.table} ${one.task.rowKey} in ${one.service}`)}  ${colour.yellow(`stays until ${one.task.hook} succeeds: ${plural(one.task.attempts, "attempt")}, the next ${inSeconds(one.task.nextInSeconds)}`)}`,
      ];
    default:
      return one satisfies never;
  }
}

function rowText(row: RowStanding | undefined): string {
  switch (row) {
    case "there":
      return "a row in";
    case "softly deleted":
      return "softly deleted in";
    case "missing":
    case undefined:
      return "no row in";
    default:
      return row satisfies never;
  }
}

function since(at: string): string {
  return age(Math.max(0, (Date.now() - Date.parse(at)) / 1_000));
}

function line(title: string, text: string): string {
  return `  ${colour.dim(title.padEnd(10))} ${oneLine(text)}`;
}

/** Ids and errors are others' words. */
function said(text: string): string {
  return shorten(oneLine(text), 500);
}
