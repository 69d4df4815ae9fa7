import type { Report } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { EventSymbol } from "../../language/symbols.js";
import { filterOfEvent } from "../../model/build/build-event.js";
import { overlap } from "../../model/filters.js";
import { isOptional } from "../fields.js";
import type { Rule } from "../rule.js";

/** What an external service does otherwise: each message is one event, and tells whose it is in one way. */
export const checkForeignMessages: Rule = (program, report) => {
  for (const { name, external, node } of program.services.values()) {
    if (external) continue;
    const spans = { envelope: node?.keySpans.envelope, name: node?.get.stream?.keySpans.name };
    for (const [key, span] of Object.entries(spans))
      if (span !== undefined) report("not-external", span, { service: name, key });
  }
  for (const event of program.events) {
    if (event.service === undefined) continue;
    if (event.service.external) checkIds(event, report);
    else refuseKeys(event, report);
  }
  checkSubjects(program, report);
};

const KEYS = ["subject", "type", "id", "event_id"] as const;

function refuseKeys({ node, service }: EventSymbol, report: Report): void {
  for (const key of KEYS) {
    const span = node?.keySpans[key];
    if (span !== undefined) report("not-external", span, { service: service?.name ?? "", key });
  }
}

function checkIds(event: EventSymbol, report: Report): void {
  const { node, subject, service } = event;
  const envelope = service?.envelope ?? "mesh";
  const { type, id, event_id: eventId } = node?.get ?? {};
  if (type !== undefined && envelope !== "cloudevents")
    report("envelope-has-it", type.span, { key: "type", envelope });
  if (id !== undefined && envelope === "mesh") report("envelope-has-it", id.span, { key: "id", envelope });
  if (eventId !== undefined && envelope !== "none")
    report("envelope-has-it", eventId.span, { key: "event_id", envelope });
  for (const field of [id, eventId]) {
    if (field !== undefined && !isIdField(event, field.value))
      report("id-field", field.span, { field: field.value, event: event.name?.value ?? subject.text });
  }
  const written = node?.get.subject;
  const text = written?.value ?? subject.text;
  const hasToken = text.includes("{id}");
  if (id !== undefined && hasToken && written !== undefined)
    report("two-entity-ids", id.span, { field: id.value, subject: text });
  if (id === undefined && !hasToken && envelope === "none" && written !== undefined)
    report("no-entity-id", written.span, { subject: text });
}

const ID_TYPES: readonly string[] = ["string", "nanoid", "uuid", "integer", "bigint"];

function isIdField({ fields }: EventSymbol, name: string): boolean {
  const field = fields.get(name)?.node;
  if (field === undefined) return false;
  if (isOptional(field)) return false;
  return field.kind !== "choice" || (ID_TYPES.includes(field.value) && !field.suffix.startsWith("[]"));
}

/** No two events share a message, and no two streams a subject. Only a subject of its own form can. */
function checkSubjects(program: Program, report: Report): void {
  const told = new Set<string>();
  for (const [index, event] of program.events.entries()) {
    const written = event.node?.get.subject;
    if (written === undefined || event.service === undefined || told.has(written.value)) continue;
    // Each pair is told once: at the later one, unless the earlier one alone has a subject of its own form.
    const isFirst = (other: EventSymbol) => program.events.indexOf(other) < index || !hasTemplate(other);
    const others = program.events.filter(
      (other) => other !== event && isFirst(other) && overlap(filterOfEvent(other), filterOfEvent(event)),
    );
    const same = others.find((other) => other.service === event.service && !areToldApart(event, other));
    const foreign = others.find((other) => other.service !== event.service);
    if (same !== undefined || foreign !== undefined) told.add(written.value);
    if (same !== undefined)
      report("same-subject", written.span, {
        subject: written.value,
        other: same.name?.value ?? same.subject.text,
      });
    else if (foreign !== undefined)
      report("overlapping-subjects", written.span, {
        subject: written.value,
        owner: foreign.service?.name ?? foreign.subject.value.service,
        other: foreign.node?.get.subject?.value ?? foreign.subject.text,
      });
  }
}

function hasTemplate({ node }: EventSymbol): boolean {
  return node?.get.subject !== undefined;
}

function areToldApart(event: EventSymbol, other: EventSymbol): boolean {
  const [type, otherType] = [event.node?.get.type?.value, other.node?.get.type?.value];
  return type !== undefined && otherType !== undefined && type !== otherType;
}
