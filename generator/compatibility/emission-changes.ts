import { conditionText } from "../flow/condition-text.js";
import type { Condition, Emit, Event, FieldSource } from "../model/mesh.js";
import type { ChangeKind } from "./change.js";
import { same } from "./meshes.js";

/** When rows mean the event. */
export interface Emission {
  readonly emit: Emit | undefined;
  readonly payload: Event["payload"];
}

/** What became of the cases in which the event is sent; undefined: nothing. */
export function compareEmission(
  old: Emission,
  now: Emission,
): { readonly kind: ChangeKind; readonly says: string } | undefined {
  const [was, is] = [old.emit, now.emit];
  if (same(was, is)) return undefined;
  if (was === undefined || is === undefined || !isComparable(was, is))
    return {
      kind: "emission-changed",
      says: `follows from ${sourceText(is)}, no longer from ${sourceText(was)}`,
    };
  const [less, more] = [saysLess(was, is), saysLess(is, was)];
  const [before, after] = [
    { emit: was, payload: old.payload },
    { emit: is, payload: now.payload },
  ];
  const says = `is sent on ${caseOf(is)}, no longer on ${caseOf(was)}`;
  const lost = less ? undefined : losesUpdates(before, after);
  const kind = more ? "emission-changed" : "emission-narrowed";
  if (less || lost !== undefined) return { kind, says: lost === undefined ? says : `${says}: ${lost}` };
  return more || losesUpdates(after, before) !== undefined ? { kind: "emission-widened", says } : undefined;
}

/** Of the same rows, about the same entity, by the same clock. */
function isComparable(old: Emit, now: Emit): boolean {
  return old.table === now.table && old.id === now.id && old.at === now.at;
}

function sourceText(emit: Emit | undefined): string {
  if (emit === undefined) return "a call of its publisher";
  const at = emit.at === undefined ? "" : ` at ${emit.at}`;
  return `rows of ${emit.table}${at}${emit.id === undefined ? "" : ` about ${emit.id}`}`;
}

function caseOf({ on, of, when, unless, at }: Emit): string {
  const said = [
    at === undefined ? on.join(", ") : `the moment ${at}`,
    of.length > 0 ? `of ${of.join(", ")}` : "",
    when.length > 0 ? `when ${when.map(conditionText).join(", ")}` : "",
    unless.length > 0 ? `unless ${unless.map(conditionText).join(", ")}` : "",
  ];
  return said.filter((part) => part !== "").join(" ");
}

/** Whether there are rows of which only the older one tells. */
function saysLess(old: Emit, now: Emit): boolean {
  const fewerColumns = now.of.length > 0 && !tells(now.of, triggersOf(old));
  return (
    old.on.some((operation) => !now.on.includes(operation)) ||
    fewerColumns ||
    !isImplied(now.when, old.when) ||
    (now.unless.length > 0 && (old.unless.length === 0 || !isImplied(old.unless, now.unless)))
  );
}

/**
 * Which updates of rows that both tell of only the older one tells. Without `of` and `when` it is told where a shown column changed; with
 * `when` alone on becoming so.
 */
function losesUpdates(old: Emission & { emit: Emit }, now: Emission & { emit: Emit }): string | undefined {
  const [was, is] = [old.emit, now.emit];
  if (!was.on.includes("update") || !is.on.includes("update") || is.of.length > 0) return undefined;
  if (is.when.length > 0) {
    if (was.of.length === 0 && was.when.length > 0)
      return same(was.when, is.when)
        ? undefined
        : "an update from one of these values to another tells nothing";
    return "an update of a row that holds it already tells nothing";
  }
  const shown = now.payload.flatMap(({ source }) => columnsShown(source));
  const triggers = triggersOf(was);
  if (triggers === undefined || shown.length === 0 || tells(shown, triggers)) return undefined;
  const unseen = triggers.filter((column) => !shown.includes(column));
  return `an update of ${unseen.join(", ")} alone, which it does not show, tells nothing`;
}

/** The columns of which an update had to change one; undefined: what it shows. */
function triggersOf({ of, when }: Emit): readonly string[] | undefined {
  if (of.length > 0) return of;
  return when.length > 0 ? when.map(({ column }) => column) : undefined;
}

function tells(columns: readonly string[], triggers: readonly string[] | undefined): boolean {
  return triggers?.every((column) => columns.includes(column)) === true;
}

function columnsShown(source: FieldSource | undefined): readonly string[] {
  switch (source?.kind) {
    case "column":
    case "old":
      return [source.column];
    case "referenced":
      return [source.by];
    case "object":
      return source.fields.flatMap((field) => columnsShown(field.source));
    case "constant":
    case undefined:
      return [];
    default:
      return source satisfies never;
  }
}

/** Whether rows that hold the given conditions hold these as well. */
function isImplied(these: readonly Condition[], given: readonly Condition[]): boolean {
  return these.every((condition) =>
    given.some(
      (other) =>
        other.column === condition.column &&
        other.isNull === condition.isNull &&
        other.values.every((value) => condition.values.includes(value)),
    ),
  );
}
