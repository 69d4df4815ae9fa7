import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { ROOT } from "./compile.js";
import { type Draw, openDraw, pick } from "./draw.js";
import { ATTACKS } from "./hostile-texts.js";
import { isMapping, type Json, type Mapping, placesIn, put, remove } from "./json-places.js";

const SCENARIOS = join(ROOT, "test/scenarios/emit");

/** Meshes that emit something of everything; the first is the reference mesh, which is as large as the others together. */
const BASES: readonly Mapping[] = [
  join(ROOT, "mesh.yaml"),
  ...readdirSync(SCENARIOS).map((name) => join(SCENARIOS, name, "mesh.yaml")),
]
  .filter((path) => existsSync(path))
  .map((path) => parse(readFileSync(path, "utf8"), { merge: true, stringKeys: true }) as Mapping);

/** A hostile mesh.yaml: texts that break out of quotes, and parts in wrong places. */
export function mutatedMesh(seed: number): string {
  const draw = openDraw(seed);
  const mesh = structuredClone(pick(draw(8) === 0 ? BASES.slice(0, 1) : BASES.slice(1), draw));
  // Most free texts compile, and only those are emitted; the rest must be reported well.
  const isWild = draw(4) === 0;
  for (let left = 1 + draw(isWild ? 3 : 8); left > 0; left -= 1) {
    if (!isWild) sayFreely(mesh, draw);
    else pick([replaceText, replaceText, renameKey, moveNode, sayFreely], draw)(mesh, draw);
  }
  return stringify(mesh, { aliasDuplicateObjects: false });
}

function attack(draw: Draw): string {
  const text = pick(ATTACKS, draw);
  return draw(4) === 0 ? text + pick(ATTACKS, draw) : text;
}

const mappingAt = (parent: Mapping, key: string): Mapping => {
  const child = parent[key];
  return isMapping(child) ? child : {};
};
const mappingsIn = (parent: Mapping): Mapping[] => Object.values(parent).filter(isMapping);

/** Where any text may stand: descriptions, values of columns and variables, conditions, schemas of payloads. */
function sayFreely(mesh: Mapping, draw: Draw): void {
  const services = mappingsIn(mappingAt(mesh, "services")).filter(({ external }) => external !== true);
  const tables = mappingsIn(mappingAt(mesh, "databases")).flatMap((database) =>
    mappingsIn(mappingAt(database, "tables")),
  );
  const columns = tables.flatMap((table) =>
    Object.entries(mappingAt(table, "columns")).map(([name, column]) => ({ table, name, column })),
  );
  const subjects = mappingsIn(mappingAt(mesh, "subjects"));
  const text = attack(draw);
  const isBare = [services, columns, subjects].some((parts) => parts.length === 0);
  switch (isBare ? 0 : draw(9)) {
    case 0:
      pick([mesh, ...services, ...tables, ...subjects], draw).description = text;
      break;
    case 1: {
      const service = pick(services, draw);
      const variable = { default: text, description: attack(draw) };
      const needed = { required: true, example: text, description: attack(draw) };
      service.environment = {
        ...mappingAt(service, "environment"),
        [`TEXT_${draw(5)}`]: pick<Json>([variable, needed, text], draw),
      };
      break;
    }
    case 2: {
      const { column } = pick(columns, draw);
      if (isMapping(column)) column.description = text;
      break;
    }
    case 3: {
      // A default of whatever type the column is: mostly refused, else a constant of SQL.
      const texts = columns.filter(
        ({ column }) =>
          isMapping(column) &&
          column.type === "text" &&
          column.references === undefined &&
          column.key !== true,
      );
      const { column } = pick(draw(5) === 0 || texts.length === 0 ? columns : texts, draw);
      if (isMapping(column)) column.default = text;
      break;
    }
    case 4: {
      const { column } = pick(columns, draw);
      if (isMapping(column) && column.type === "text" && column.references === undefined) {
        column.one_of = [text, `${text} or not`, ...(Array.isArray(column.one_of) ? column.one_of : [])];
        column.default = text;
      }
      break;
    }
    case 5: {
      const emit = mappingAt(pick(subjects, draw), "emit");
      const owner = mappingsIn(mappingAt(mesh, "databases"))
        .map((database) => mappingAt(mappingAt(database, "tables"), String(emit.table)))
        .find((table) => Object.keys(table).length > 0);
      const texts = Object.entries(mappingAt(owner ?? {}, "columns")).filter(
        ([, column]) =>
          column === "text" || (isMapping(column) && column.type === "text" && column.key !== true),
      );
      if (texts.length > 0) emit.when = { ...mappingAt(emit, "when"), [pick(texts, draw)[0]]: text };
      break;
    }
    default:
      describeField(pick(subjects, draw), text, draw);
  }
}

/** A field's own JSON Schema: of a text that a column carries, or of one field more where no table carries them. */
function describeField(subject: Mapping, text: string, draw: Draw): void {
  const payload = mappingAt(subject, "payload");
  const texts = Object.keys(payload).filter((name) => /^string\??$/.test(String(payload[name])));
  const escaped = text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  const strings: readonly Mapping[] = [
    { type: "string", description: text },
    { type: "string", title: text, examples: [text], default: text },
    { type: "string", enum: [text, "a"] },
    { type: "string", pattern: escaped },
    { type: "string", pattern: text },
    { type: "string", not: { const: text } },
  ];
  const others: readonly Mapping[] = [
    { const: text },
    { type: "object", properties: { [text]: { type: "string", description: text } }, required: [text] },
    { type: "array", items: { enum: [text, 1, null] } },
    { anyOf: [{ const: text }, { const: { [text]: text } }] },
  ];
  if (subject.emit === undefined)
    subject.payload = { ...payload, [`text${draw(3)}`]: pick([...strings, ...others], draw) };
  else if (texts.length > 0) {
    const name = pick(texts, draw);
    const optional = payload[name] === "string?";
    subject.payload = { ...payload, [name]: { ...pick(strings, draw), ...(optional && { optional }) } };
  } else subject.description = text;
}

function replaceText(mesh: Mapping, draw: Draw): void {
  const places = placesIn(mesh).filter(({ value }) => !isMapping(value) && !Array.isArray(value));
  if (places.length > 0) put(pick(places, draw), attack(draw));
}

function renameKey(mesh: Mapping, draw: Draw): void {
  const places = placesIn(mesh).filter(({ parent }) => !Array.isArray(parent));
  if (places.length === 0) return;
  const place = pick(places, draw);
  remove(place);
  put(
    {
      ...place,
      key: pick([attack(draw), "__proto__", "constructor", "<<", String(place.key).toUpperCase()], draw),
    },
    place.value,
  );
}

function moveNode(mesh: Mapping, draw: Draw): void {
  const places = placesIn(mesh);
  if (places.length === 0) return;
  const [one, other] = [pick(places, draw), pick(places, draw)];
  switch (draw(4)) {
    case 0:
      remove(one);
      break;
    case 1:
      put(one, structuredClone(other.value));
      break;
    case 2: {
      const [first, second] = [structuredClone(one.value), structuredClone(other.value)];
      put(one, second);
      put(other, first);
      break;
    }
    default:
      put(one, pick<Json>([null, {}, [], 0, -1, 1e308, true, [[]]], draw));
  }
}
