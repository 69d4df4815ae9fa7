import { BASE64, DAY, DECIMAL, type FieldType } from "@meshwright/runtime/column-types";
import { compareNames } from "../../collections/compare-names.js";
import type { EventSymbol, FieldSymbol } from "../../language/symbols.js";
import type { Value } from "../../source/value.js";
import { operations } from "../../vocabulary/changes.js";
import { INT64 } from "../int64.js";
import type { Emit, Event, Field, ForeignEvent, JsonSchema, JsonValue } from "../mesh.js";
import { eventNames } from "../names.js";
import { buildCondition } from "./build-condition.js";
import { required } from "./invariant.js";

export function buildEvent(event: EventSymbol): Event {
  const name = required(event.name, `the event of ${event.subject.text}`).value;
  const service = required(event.service, `the service of ${event.subject.text}`);
  return {
    name,
    service: service.name,
    entity: event.subject.value.entity,
    action: event.subject.value.action,
    subject: event.subject.text,
    filter: filterOfEvent(event),
    foreign: buildForeign(event),
    source: service.source,
    description: event.node?.get.description?.value,
    change: event.change,
    emit: buildEmit(event),
    payload: [...event.fields.values()].map((field) => buildField(field, event)),
    names: eventNames(name),
  };
}

export function filterOfEvent({ subject, node }: EventSymbol): string {
  return (node?.get.subject?.value ?? subject.text).replace("{id}", "*");
}

function buildForeign({ node }: EventSymbol): ForeignEvent | undefined {
  const { subject, type, id, event_id: eventId } = node?.get ?? {};
  if (subject === undefined && type === undefined && id === undefined && eventId === undefined)
    return undefined;
  return { subject: subject?.value, type: type?.value, idField: id?.value, eventIdField: eventId?.value };
}

function buildEmit(event: EventSymbol): Emit | undefined {
  const emit = event.node?.get.emit?.get;
  if (emit === undefined) return undefined;
  return {
    table: required(event.table, `the table of ${event.subject.text}`).name,
    id: event.id?.value,
    on: operations.filter((operation) => event.operations.includes(operation)),
    of: (emit.of?.items ?? []).map(({ value }) => value).sort(compareNames),
    when: buildCondition(emit.when),
  };
}

function buildField(field: FieldSymbol, event: EventSymbol): Field {
  const node = required(field.node, `the type of ${field.name}`);
  const inherited = event.table?.columns.get(field.name)?.node?.get.description?.value;
  if (node.kind === "choice") {
    const optional = node.suffix.endsWith("?");
    const isList = node.suffix.startsWith("[]");
    const single = schemaOfType(node.value);
    const schema = describe(isList ? { type: "array", items: single } : single, inherited);
    return {
      name: field.name,
      description: inherited,
      optional,
      type: isList ? undefined : node.value,
      each: isList ? node.value : undefined,
      schema: optional ? nullable(schema) : schema,
    };
  }
  const { optional, ...schema } = toJson(node.value) as { readonly [key: string]: JsonValue };
  const description = typeof schema.description === "string" ? schema.description : inherited;
  const described = describe(schema, description);
  const isOptional = optional === true;
  return {
    name: field.name,
    description,
    optional: isOptional,
    type: undefined,
    each: undefined,
    schema: isOptional ? nullable(described) : described,
  };
}

function describe(schema: JsonSchema, description: string | undefined): JsonSchema {
  return description === undefined ? schema : { ...schema, description };
}

/** The ids and times are texts on the wire: the documented messages carry ids that no `format` would accept. */
function schemaOfType(type: FieldType): JsonSchema {
  switch (type) {
    case "integer":
      return { type, minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
    case "number":
    case "boolean":
      return { type };
    case "json":
      return {};
    case "bigint":
      return { type: "string", pattern: INT64 };
    case "decimal":
      return { type: "string", pattern: DECIMAL };
    case "date":
      return { type: "string", pattern: DAY };
    case "binary":
      return { type: "string", pattern: BASE64, contentEncoding: "base64" };
    case "string":
    case "nanoid":
    case "uuid":
    case "timestamp":
      return { type: "string" };
    default:
      return type satisfies never;
  }
}

/** The same schema, with null. */
function nullable(schema: JsonSchema): JsonSchema {
  const { type, description } = schema;
  if ("enum" in schema || "const" in schema || "$ref" in schema) {
    return describe(
      { anyOf: [schema, { type: "null" }] },
      typeof description === "string" ? description : undefined,
    );
  }
  if (typeof type === "string") return type === "null" ? schema : { ...schema, type: [type, "null"] };
  if (Array.isArray(type)) return type.includes("null") ? schema : { ...schema, type: [...type, "null"] };
  return Object.keys(schema).every((keyword) => keyword === "description")
    ? schema
    : describe(
        { anyOf: [schema, { type: "null" }] },
        typeof description === "string" ? description : undefined,
      );
}

function toJson(value: Value): JsonValue {
  switch (value.kind) {
    case "scalar":
      return value.value;
    case "list":
      return value.items.map(toJson);
    case "mapping":
      return Object.fromEntries(value.entries.map((entry) => [entry.key, toJson(entry.value)]));
    case "unread":
      throw new Error("compiler bug: a value that was not read passed the checks");
  }
}
