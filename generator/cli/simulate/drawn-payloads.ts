import { type ColumnType, type FieldType, factsOf } from "@meshwright/runtime/column-types";
import type { MeshFacts } from "@meshwright/simulator";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import type { Column, Event, Field, JsonValue, Mesh } from "../../model/mesh.js";
import { drawnFrom } from "./drawn.js";

/*
 * Payloads of events that no row implies, of external services and own ones. Whether one is valid, its generated validator says.
 */

/** As many of each event. */
const DRAWN = 60;
/** So many values of each field. */
const VALUES = 5;

/** By event, as `field.probe.measured`. */
export function drawPayloads(mesh: Mesh): MeshFacts["payloads"] {
  const unimplied = mesh.events.filter(({ emit }) => emit === undefined);
  return Object.fromEntries(
    unimplied.map((event) => [`${event.service}.${event.entity}.${event.action}`, payloadsOf(event, mesh)]),
  );
}

function payloadsOf(event: Event, mesh: Mesh): readonly Readonly<Record<string, JsonValue>>[] {
  const copies = mesh.databases
    .flatMap(({ tables }) => tables)
    .filter(({ cache }) => cache?.entity === `${event.service}.${event.entity}`);
  const values = event.payload.map((field) => {
    const columns = copies.flatMap((copy) =>
      copy.columns.filter((column) => (column.filledBy?.field ?? column.name) === field.name),
    );
    return valuesOf(field, columns);
  });
  return Array.from({ length: DRAWN }, (_, at) =>
    Object.fromEntries(
      event.payload.flatMap((field, index) => {
        const choices = values[index] ?? [];
        // One in four leaves out what may be left out.
        if (field.optional && (at + index) % 4 === 3) return [];
        const value = choices[(at * (index + 1) + Math.floor(at / VALUES)) % choices.length];
        return value === undefined ? [] : [[field.name, value]];
      }),
    ),
  );
}

function valuesOf(field: Field, columns: readonly Column[]): readonly JsonValue[] {
  const allowed = columns.flatMap(({ oneOf = [] }) => oneOf);
  if (allowed.length > 0) return allowed;
  const numbers = Array.from({ length: VALUES }, (_, number) => number);
  const [column] = columns;
  if (field.type === "string" && column !== undefined && factsOf(column.type).kind !== "text")
    return numbers.map((number) => ofColumn(column.type, number));
  const { type, each } = field;
  const plain = numbers.flatMap((number): JsonValue[] => {
    if (type !== undefined) return [ofField(type, field.name, number)];
    return each === undefined
      ? []
      : [numbers.slice(0, number).map((item) => ofField(each, field.name, item))];
  });
  const isValid = new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(field.schema);
  if (plain.some((value) => isValid(value))) return plain.filter((value) => isValid(value));
  return fc.sample(drawnFrom(field.schema), { numRuns: DRAWN, seed: 1 });
}

/** On the wire. */
function ofField(type: FieldType, name: string, number: number): JsonValue {
  switch (type) {
    case "string":
    case "nanoid":
      return `${name}-${number}`;
    case "integer":
      return number + 1;
    case "bigint":
      return String(number + 1);
    case "number":
      return number + 0.5;
    case "decimal":
      return String(number + 1);
    case "boolean":
      return number % 2 === 0;
    case "uuid":
      return `00000000-0000-4000-8000-0000000000a${number}`;
    case "timestamp":
      return `2026-01-0${number + 1}T0${number}:00:00+0${number}:00`;
    case "date":
      return `2026-01-0${number + 1}`;
    case "binary":
      return Buffer.from([number, 255]).toString("base64");
    case "json":
      return { value: number };
    default:
      return type satisfies never;
  }
}

function ofColumn(type: ColumnType, number: number): JsonValue {
  const { kind } = factsOf(type);
  switch (kind) {
    case "moment":
      return ofField("timestamp", "", number);
    case "day":
      return ofField("date", "", number);
    case "uuid":
      return ofField("uuid", "", number);
    case "decimal":
      return ofField("decimal", "", number);
    case "bytes":
      return ofField("binary", "", number);
    case "text":
    case "whole number":
    case "number":
    case "boolean":
    case "document":
    case "list":
      return String(number);
    default:
      return kind satisfies never;
  }
}
