import { conditionText } from "../flow/condition-text.js";
import type { Condition, Emit, Event } from "../model/mesh.js";
import { type Change, changeOf } from "./change.js";
import { compareFields } from "./field-changes.js";
import { type Meshes, same } from "./meshes.js";
import { partiesOf, subscribersOf } from "./readers.js";

/** Subjects that come, go, are sent otherwise, and the fields of their payloads. */
export function compareEvents(meshes: Meshes): readonly Change[] {
  const { before, next } = meshes;
  const old = new Map(before.events.map((event) => [event.subject, event]));
  const kept = new Set(next.events.map(({ subject }) => subject));
  return [
    ...before.events.filter(({ subject }) => !kept.has(subject)).map((event) => removed(event, meshes)),
    ...next.events.flatMap((event) => {
      const previous = old.get(event.subject);
      return previous === undefined ? [added(event, meshes)] : compareEvent(previous, event, meshes);
    }),
  ];
}

function removed(event: Event, { before, flows }: Meshes): Change {
  const concerns = subscribersOf(event, flows.before);
  return changeOf("event-removed", {
    path: ["subjects", event.subject],
    gone: true,
    message: `${event.name} (${event.subject}) is no longer published`,
    concerns,
    parties: partiesOf(event.service, concerns, before),
  });
}

/** Only a durable that is there already is read by replicas that do not know the action. */
function added(event: Event, { before, next, flows }: Meshes): Change {
  const concerns = subscribersOf(event, flows.next).filter(({ service }) =>
    before.services
      .find(({ name }) => name === service)
      ?.consumers.some(
        ({ entity, events }) => entity === `${event.service}.${event.entity}` && events.length > 0,
      ),
  );
  return changeOf("event-added", {
    path: ["subjects", event.subject],
    message: `${event.name} (${event.subject}) is new`,
    concerns,
    parties: partiesOf(event.service, concerns, next),
  });
}

function compareEvent(previous: Event, event: Event, meshes: Meshes): readonly Change[] {
  const { next, flows } = meshes;
  const concerns = subscribersOf(previous, flows.before);
  const path = ["subjects", event.subject];
  const parties = partiesOf(event.service, concerns, next);
  const said = { path, concerns, parties };
  const changes: Change[] = [];
  if (previous.name !== event.name) {
    const message = `${previous.name} is called ${event.name}: types, and hooks (${event.names.hook})`;
    changes.push(changeOf("event-renamed", { ...said, path: [...path, "event"], message }));
  }
  if (previous.change !== event.change) {
    const message = `${event.name} is ${ofEntity(event)}, no longer ${ofEntity(previous)}`;
    changes.push(changeOf("event-meaning-changed", { ...said, path: [...path, "change"], message }));
  }
  if (!same(previous.foreign, event.foreign)) {
    const owner = { service: event.service, as: "publishes it" };
    const message = `${event.name} is found by ${addressOf(event)}, no longer by ${addressOf(previous)}`;
    changes.push(changeOf("address-changed", { ...said, concerns: [owner, ...concerns], message }));
  }
  return [
    ...changes,
    ...compareEmission(previous, event, said, meshes),
    ...compareFields(previous, event, meshes),
  ];
}

function ofEntity({ change }: Event): string {
  return change === "none" ? "a mere occurrence" : `a ${change}`;
}

function addressOf({ foreign, filter }: Event): string {
  const { subject = filter, type, idField, eventIdField } = foreign ?? {};
  const said = [
    subject,
    type && `type ${type}`,
    idField && `id ${idField}`,
    eventIdField && `event_id ${eventIdField}`,
  ];
  return said.filter(Boolean).join(", ");
}

type Said = Pick<Parameters<typeof changeOf>[1], "path" | "concerns" | "parties">;

function compareEmission(previous: Event, event: Event, said: Said, { former }: Meshes): readonly Change[] {
  const [old, now] = [previous.emit && former.emit(previous), event.emit];
  if (same(old, now)) return [];
  const path = [...said.path, "emit"];
  if (old === undefined || now === undefined || !isComparable(old, now)) {
    const message = `${event.name} follows from ${source(now)}, no longer from ${source(old)}`;
    return [changeOf("emission-changed", { ...said, path, message })];
  }
  const [less, more] = [saysLess(old, now), saysLess(now, old)];
  const kind = less && more ? "emission-changed" : less ? "emission-narrowed" : "emission-widened";
  const message = `${event.name} is sent on ${caseOf(now)}, no longer on ${caseOf(old)}`;
  return less || more ? [changeOf(kind, { ...said, path, message })] : [];
}

/** Of the same rows, about the same entity, by the same clock. */
function isComparable(old: Emit, now: Emit): boolean {
  return old.table === now.table && old.id === now.id && old.at === now.at;
}

function source(emit: Emit | undefined): string {
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

/** Whether there are cases of which only the older one tells. */
function saysLess(old: Emit, now: Emit): boolean {
  const loses = <T>(had: readonly T[], has: readonly T[]) => had.some((item) => !has.includes(item));
  const fewerColumns = now.of.length > 0 && (old.of.length === 0 || loses(old.of, now.of));
  return (
    loses(old.on, now.on) ||
    fewerColumns ||
    !isImplied(now.when, old.when) ||
    (now.unless.length > 0 && (old.unless.length === 0 || !isImplied(old.unless, now.unless)))
  );
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
