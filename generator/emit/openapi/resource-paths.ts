import { factsOf, type ValueKind } from "@meshwright/runtime/column-types";
import type { JsonSchema, JsonValue, Resource, Table, View } from "../../model/mesh.js";
import { pascalCase } from "../../model/names.js";
import { shownName } from "../json-schema/body.js";
import { jsonAnswer, problemsOf } from "./answers.js";
import { shownColumns, shownValue } from "./row-schema.js";

export interface Served {
  readonly resource: Resource;
  readonly table: Table | View;
  /** Set where another resource serves the same table: operations need names of their own. */
  readonly suffix: string;
}

type Paths = { readonly [path: string]: JsonValue };

/** The collection of one table, and a row of it. */
export function resourcePaths(served: Served): Paths {
  const { path } = served.resource;
  return {
    [path]: { get: listOperation(served), ...(isWritable(served) ? { post: createOperation(served) } : {}) },
    [`${path}/{id}`]: {
      parameters: [
        {
          name: "id",
          in: "path",
          required: true,
          description: idText(served.table),
          schema: { type: "string" },
        },
      ],
      get: getOperation(served),
      ...(isWritable(served) ? { patch: updateOperation(served), delete: deleteOperation(served) } : {}),
    },
  };
}

interface Writable extends Served {
  readonly table: Table;
}

function isWritable(served: Served): served is Writable {
  return !served.resource.readonly && "create" in served.table.names;
}

/** `listUsers`, `createUser` */
function operation(
  verb: string,
  { table, resource, suffix }: Served,
): { readonly operationId: string; readonly tags: JsonValue } {
  const one = table.names.row.replace(/Row$/, "");
  const name = verb === "list" ? pascalCase(table.names.value) : one;
  return { operationId: `${verb}${name}${suffix}`, tags: [resource.path] };
}

function listOperation(served: Served): JsonValue {
  const { table } = served;
  return {
    ...operation("list", served),
    summary: `All rows of ${table.name}, or those that the query's values name`,
    description: "One consistent state, whole: there are no pages.",
    parameters: [...shownColumns(table).flatMap(filterOf), SNAPSHOT_HEADER],
    responses: {
      200: jsonAnswer("The rows, in any order", { type: "array", items: rowReference(table) }),
      ...problemsOf(400, 401, 403, 503),
    },
  };
}

const SNAPSHOT_HEADER: JsonValue = {
  name: "mesh-snapshot",
  in: "header",
  description: "Adds `_version` and `_first_version` of its entity to each row, as caches need them",
  schema: { const: "versions" },
};

/** By kind: whether a list can be filtered by the column. */
const FILTERS: Readonly<Record<ValueKind, boolean>> = {
  text: true,
  uuid: true,
  "whole number": true,
  number: true,
  decimal: true,
  boolean: true,
  moment: true,
  day: true,
  bytes: true,
  document: false,
  list: false,
};

function filterOf(column: Table["columns"][number]): readonly JsonValue[] {
  if (!FILTERS[factsOf(column.type).kind]) return [];
  return [
    { name: shownName(column), in: "query", description: "The column equals it", schema: shownValue(column) },
  ];
}

function getOperation(served: Served): JsonValue {
  const { table } = served;
  return {
    ...operation("get", served),
    summary: `One row of ${table.name}`,
    responses: { 200: jsonAnswer("The row", rowReference(table)), ...problemsOf(400, 401, 403, 404, 503) },
  };
}

function createOperation(served: Writable): JsonValue {
  const { table } = served;
  return {
    ...operation("create", served),
    summary: `Create a row of ${table.name}`,
    requestBody: bodyOf(table.names.create),
    responses: {
      201: jsonAnswer("The row as it is stored", rowReference(table), {
        headers: { Location: { description: "Its path", schema: { type: "string" } } },
      }),
      ...problemsOf(400, 401, 403, 409, 413, 415, 422, 503),
    },
  };
}

function updateOperation(served: Writable): JsonValue {
  const { table } = served;
  return {
    ...operation("update", served),
    summary: `Change columns of a row of ${table.name}`,
    requestBody: bodyOf(table.names.patch),
    responses: {
      200: jsonAnswer("The row as it is stored", rowReference(table)),
      ...problemsOf(400, 401, 403, 404, 409, 413, 415, 422, 503),
    },
  };
}

function deleteOperation(served: Writable): JsonValue {
  const { table } = served;
  const softly =
    table.softDelete === undefined
      ? ""
      : `, softly: it stays, with ${table.softDelete} set, and is shown no more`;
  return {
    ...operation("delete", served),
    summary: `Delete a row of ${table.name}${softly}`,
    responses: { 204: { description: "It is gone" }, ...problemsOf(400, 401, 403, 404, 409, 413, 503) },
  };
}

function bodyOf(schema: string): JsonValue {
  return { required: true, content: { "application/json": { schema: reference(schema) } } };
}

function rowReference({ names }: Table | View): JsonSchema {
  return reference(names.row);
}

function reference(schema: string): JsonSchema {
  return { $ref: `#/components/schemas/${schema}` };
}

function idText({ key, columns }: Table | View): string {
  const named = key.map((name) => {
    const column = columns.find((each) => each.name === name);
    return column === undefined ? name : shownName(column);
  });
  if (named.length === 1) return `Its ${named[0]}`;
  return `Its ${named.join(", ")}, joined by ":"; within a value "%25" stands for "%" and "%3A" for ":"`;
}
