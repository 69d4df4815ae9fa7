import {
  type ColumnType,
  factsOf,
  isDecimalOf,
  isNumberOf,
  isWholeOf,
  isWideElement,
} from "@meshwright/runtime/column-types";
import { isInt64 } from "@meshwright/runtime/int64";
import type { Samples } from "@meshwright/simulator";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import type { Column, JsonSchema, JsonValue, Mesh, Table } from "../../model/mesh.js";
import { fieldsShowing } from "../../rules/emitted.js";
import { hasRules } from "../../rules/payload-conditions.js";
import { drawnFrom } from "./drawn.js";

/** As many as a writer takes turns with. */
const WANTED = 5;
const TRIES = 500;
/** The same values for every schedule: a seed names a schedule and nothing else. */
const SEED = 1;

export interface Drawn {
  readonly samples: Samples;
  /** Columns that no value was found for: their rows will be refused. */
  readonly missing: readonly string[];
}

/** Values that fit the payload schemas of the events that tell a column, for every column that such schemas are about. */
export function drawSamples(mesh: Mesh): Drawn {
  const missing: string[] = [];
  const ofColumn = (column: Column, table: Table) => {
    const schemas = schemasOf(column, table, mesh);
    if (schemas.length === 0) return [];
    const values = drawValues(column, schemas);
    if (values.length === 0) missing.push(`${table.name}.${column.name}`);
    return [[column.name, values] as const];
  };
  const ofTable = (table: Table) =>
    Object.fromEntries(table.columns.flatMap((column) => ofColumn(column, table)));
  const samples = Object.fromEntries(
    mesh.databases.map(({ service, tables }) => [
      service,
      Object.fromEntries(tables.map((table) => [table.name, ofTable(table)])),
    ]),
  );
  return { samples, missing };
}

function schemasOf(column: Column, table: Table, mesh: Mesh): readonly JsonSchema[] {
  const fields = fieldsShowing(column, table, mesh);
  return fields.filter((field) => hasRules(field, column)).map(({ schema }) => schema);
}

/** As the texts that PostgreSQL reads; those that most of the schemas take, where none fits them all. */
function drawValues(column: Column, schemas: readonly JsonSchema[]): readonly string[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });
  const validators = schemas.map((schema) => ajv.compile(schema));
  const drawn = schemas.flatMap((schema) => fc.sample(drawnFrom(schema), { numRuns: TRIES, seed: SEED }));
  const candidates = [...(column.oneOf ?? []), ...drawn].filter((value) => fitsColumn(column, value));
  const scored = candidates.map((value) => ({
    text: textOf(column, value),
    score: validators.filter((validate) => validate(value)).length,
  }));
  const best = Math.max(0, ...scored.map(({ score }) => score));
  const fitting = best === 0 ? [] : scored.filter(({ score }) => score === best).map(({ text }) => text);
  return [...new Set(fitting)].slice(0, WANTED);
}

/** As PostgreSQL reads it. */
function textOf({ type }: Pick<Column, "type">, value: JsonValue): string {
  const { kind, element } = factsOf(type);
  if (kind === "document") return JSON.stringify(value);
  if (element === undefined || !Array.isArray(value)) return String(value);
  const items = value.map((item) => `"${textOf({ type: element }, item).replace(/["\\]/g, "\\$&")}"`);
  return `{${items.join(",")}}`;
}

function isElement(type: ColumnType, value: JsonValue): boolean {
  const { kind, bits } = factsOf(type);
  if (isWideElement(kind, bits)) return typeof value === "string" && isInt64(value);
  return fitsColumn({ type, oneOf: undefined }, value);
}

function fitsColumn({ type, oneOf }: Pick<Column, "type" | "oneOf">, value: JsonValue): boolean {
  const { kind, bits, length, element, padded } = factsOf(type);
  switch (kind) {
    case "whole number":
      return isWholeOf(bits, value);
    case "number":
      return isNumberOf(bits, value);
    case "boolean":
      return typeof value === "boolean";
    case "document":
      return value !== null;
    case "text":
      if (typeof value !== "string" || value.includes("\0") || oneOf?.includes(value) === false) return false;
      if (padded && value.endsWith(" ")) return false;
      return length === undefined || [...value].length <= length;
    case "decimal":
      return typeof value === "string" && isDecimalOf(factsOf(type), value);
    case "list":
      return element !== undefined && Array.isArray(value) && value.every((item) => isElement(element, item));
    case "uuid":
    case "moment":
    case "day":
    case "bytes":
      // The writer's own values are as good as any.
      return false;
    default:
      return kind satisfies never;
  }
}
