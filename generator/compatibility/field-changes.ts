import type { Event, Field, JsonSchema, JsonValue, Mesh } from "../model/mesh.js";
import { isSchema, namesIn } from "../model/schema-references.js";
import { boundRows } from "./bound-rows.js";
import { type Change, type ChangeKind, changeKinds, changeOf, type Path } from "./change.js";
import type { KindFacts } from "./change-class.js";
import type { Meshes } from "./meshes.js";
import { findNarrowing } from "./narrowing.js";
import { distinct, partiesOf, readersOf } from "./readers.js";
import { compareMembers } from "./schema-members.js";

/** The payloads of one event, field by field. */
export function compareFields(previous: Event, event: Event, meshes: Meshes): readonly Change[] {
  const old = new Map(previous.payload.map((field) => [field.name, field]));
  const kept = new Set(event.payload.map(({ name }) => name));
  return [
    ...previous.payload
      .filter(({ name }) => !kept.has(name))
      .map((field) =>
        fieldChange("field-removed", {
          event: previous,
          previous,
          field,
          meshes,
          says: "goes",
        }),
      ),
    ...event.payload.flatMap((field) => {
      const before = old.get(field.name);
      const about = { event, previous, field, meshes };
      if (before !== undefined) return compareField(before, about);
      return field.optional
        ? [fieldChange("field-added", { ...about, says: "is new, and may be absent" })]
        : [fieldChange("field-required", { ...about, says: "is new, and must be there" })];
    }),
  ];
}

interface About {
  readonly event: Event;
  /** Maybe of another name. */
  readonly previous: Event;
  readonly field: Field;
  readonly meshes: Meshes;
}

function compareField(before: Field, about: About): readonly Change[] {
  const { field } = about;
  const changes: Change[] = [];
  if (before.optional !== field.optional) {
    changes.push(
      field.optional
        ? fieldChange("field-optional", { ...about, says: "may be absent" })
        : fieldChange("field-demanded", { ...about, says: "must be there, and could be absent" }),
    );
  }
  const { old, now, lost, gained } = compareMembers(schemaWithoutNull(before), schemaWithoutNull(field));
  for (const member of lost) {
    changes.push(fieldChange("field-removed", { ...about, member: member.name, says: "goes" }));
  }
  for (const member of gained) {
    const [kind, says] = member.required
      ? (["field-required", "is new, and must be there"] as const)
      : (["field-added", "is new, and may be absent"] as const);
    changes.push(fieldChange(kind, { ...about, member: member.name, says }));
  }
  const [demand, former] = [findNarrowing(old, now), findNarrowing(now, old)];
  if (demand !== undefined && former !== undefined) {
    const says = `now demands ${demand}, and no longer ${former}`;
    changes.push(fieldChange("field-retyped", { ...about, says }));
  } else if (demand !== undefined) {
    changes.push(fieldChange("field-narrowed", { ...about, says: `now demands ${demand}` }));
  } else if (former !== undefined) {
    changes.push(fieldChange("field-widened", { ...about, says: `no longer demands ${former}` }));
  }
  // What is no longer what it was says so already.
  const other = changes.length === 0 ? findOther(before, about) : undefined;
  if (other !== undefined) {
    const [now, was] = [shown(other.field), shown(other.before)];
    const says =
      now === was ? `shows ${now}, of another table of PostgreSQL` : `shows ${now}, no longer ${was}`;
    const { member } = other;
    changes.push(fieldChange("field-shows-other", { ...about, says, ...(member !== "" && { member }) }));
  }
  return changes;
}

interface OtherSource {
  readonly before: Field;
  readonly field: Field;
  /** Within the field: `.street`; of itself the empty text. */
  readonly member: string;
}

/** What shows something else: the field, or the first one within it. */
function findOther(before: Field, { event, previous, field, meshes }: About): OtherSource | undefined {
  // Where rows no longer, or only now, imply the event, its emission says so.
  if (before.source === undefined || field.source === undefined) return undefined;
  if (previous.emit?.table === undefined || event.emit === undefined) return undefined;
  const { former } = meshes;
  const text = (source: object) => JSON.stringify(source);
  const now = field.source.kind === "column" ? { ...field.source, member: undefined } : field.source;
  if (text(former.source(previous, before.source)) === text(now)) return undefined;
  const [a, b] = [before.source, field.source];
  if (a.kind !== "object" || b.kind !== "object") return { before, field, member: "" };
  for (const inner of b.fields) {
    const twin = a.fields.find(({ name }) => name === inner.name);
    const other = twin && findOther(twin, { event, previous, field: inner, meshes });
    if (other !== undefined) return { ...other, member: `.${inner.name}${other.member}` };
  }
  return undefined;
}

function shown({ source }: Field): string {
  switch (source?.kind) {
    case undefined:
      return "what its publisher says";
    case "column":
      return `column ${source.column}`;
    case "old":
      return `column ${source.column} as it was`;
    case "referenced":
      return `${source.table.name}.${source.column.name} by ${source.by}`;
    case "constant":
      return `the constant ${JSON.stringify(source.value)}`;
    case "object":
      return "an object";
    default:
      return source satisfies never;
  }
}

interface FieldSays extends About {
  readonly says: string;
  /** Within the field: `.street`. */
  readonly member?: string;
}

/** Code that publishes the event, ours or a service's written by hand, has to keep to what is demanded as well, and rows that mean it. */
function fieldChange(kind: ChangeKind, about: FieldSays): Change {
  const { event, previous, field, meshes, says, member = "" } = about;
  const { next, flows } = meshes;
  const facts: KindFacts = changeKinds[kind];
  const read = { field: field.name, path: `${field.name}${member}`.replaceAll("[]", "") };
  const gone = kind === "field-removed";
  const wasThere = previous.payload.some(({ name }) => name === field.name);
  const formerReaders = wasThere ? readersOf({ ...read, event: previous }, flows.before) : [];
  const readers = gone
    ? formerReaders
    : distinct([...readersOf({ ...read, event }, flows.next), ...formerReaders]);
  const owner = next.services.find(({ name }) => name === event.service);
  const binds = facts.bindsPublisher === true;
  const byHand = binds && event.emit === undefined;
  const ofValue = member !== "" || kind === "field-narrowed" || kind === "field-retyped";
  const bound = binds ? boundRows({ ...about, ofValue }, meshes) : undefined;
  const publisher = {
    service: event.service,
    field: event.name,
    as: owner?.external === true ? "written by hand, publishes it" : "its code publishes it",
  };
  return changeOf(kind, {
    path: placeOf(about),
    gone: gone || undefined,
    subject: event.name,
    message: `${field.name}${member} ${says}`,
    concerns: [...(byHand ? [publisher] : []), ...(bound ? [bound.concern] : []), ...readers],
    parties: partiesOf(event.service, readers, next),
    ...((byHand || bound) && { class: "breaking-publisher" as const }),
    ...(bound?.rows && { rows: bound.rows }),
  });
}

function placeOf({ event, field, meshes, member = "" }: FieldSays): Path {
  const within = member.split(/[.[\]]+/).filter((name) => name !== "");
  const own: Path = ["subjects", event.subject, "payload", field.name];
  const type = changedType(field, meshes);
  if (type !== undefined) return ["types", type, ...within.slice(-1)];
  return [...own, ...within.flatMap((name) => ["properties", name])];
}

/** The type that is another one now, where the field says the same words as before. */
function changedType({ named }: Field, { before, next }: Meshes): string | undefined {
  const said = (types: Mesh["types"], name: string) =>
    types
      .find((type) => type.name === name)
      ?.fields.map((field) => [field.name, field.optional, field.named ?? field.schema]);
  const pending = named === undefined ? [] : [...namesIn(named)];
  for (const name of pending) {
    if (JSON.stringify(said(before.types, name)) !== JSON.stringify(said(next.types, name))) return name;
    const fields = next.types.find((type) => type.name === name)?.fields ?? [];
    const inner = fields.flatMap((field) => (field.named === undefined ? [] : namesIn(field.named)));
    pending.push(...inner.filter((each) => !pending.includes(each)));
  }
  return undefined;
}

/** Its schema where it is there: whether it may be absent is compared by itself. */
function schemaWithoutNull({ schema, optional }: Field): JsonSchema {
  if (!optional) return schema;
  const rest = Object.entries(schema).map(([keyword, value]) => [keyword, withoutNull(keyword, value)]);
  const bare = Object.fromEntries(rest) as JsonSchema;
  const [only, ...more] = Array.isArray(bare.anyOf) ? bare.anyOf : [];
  const isOnly = Object.keys(bare).every((keyword) => keyword === "anyOf" || keyword === "description");
  return more.length === 0 && isSchema(only) && isOnly ? only : bare;
}

function withoutNull(keyword: string, value: JsonValue): JsonValue {
  if (!Array.isArray(value)) return value;
  const rest = value.filter((item) => item !== null && item !== "null" && !isNullSchema(item));
  if (keyword === "type") return rest.length === 1 ? (rest[0] ?? value) : rest;
  return keyword === "enum" || keyword === "anyOf" ? rest : value;
}

function isNullSchema(value: JsonValue): boolean {
  return isSchema(value) && value.type === "null";
}
