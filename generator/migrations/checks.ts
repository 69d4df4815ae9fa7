import { unsentBy } from "@meshwright/runtime/column-types";
import type { Column, Mesh, RowCheck, Table } from "../model/mesh.js";
import { tableConditions } from "../rules/payload-conditions.js";
import { conjunction } from "../rules/translation.js";
import { travelRule } from "../rules/travel.js";
import type { CheckSchema } from "./database-schema.js";
import { nameParts, objectName } from "./sql-names.js";
import { constant } from "./sql-types.js";

/**
 * The CHECK constraints of a table. Only the owner's table refuses what a message cannot carry: a copy takes what its
 * owner sent.
 */
export function checkSchemas(table: Table, mesh: Mesh): readonly CheckSchema[] {
  const ofColumns = table.columns.flatMap((column) => [
    ...oneOf(column, table),
    ...said(column, table),
    ...(table.cache === undefined ? [...travels(column, table, mesh), ...payload(column, table, mesh)] : []),
  ]);
  return [...ofColumns, ...table.checks.map((check) => ofTable(check, table))];
}

/** The conditions of mesh.yaml name their columns: a column of another name has another condition. */
function said({ name, check }: Column, table: Table): readonly CheckSchema[] {
  return check === undefined
    ? []
    : [{ ...named(table, name, "rule"), values: undefined, condition: () => check }];
}

function ofTable({ name, columns, condition }: RowCheck, table: Table): CheckSchema {
  return { ...named(table, name, "holds"), columns, values: undefined, condition: () => condition };
}

function oneOf({ name, oneOf: values }: Column, table: Table): readonly CheckSchema[] {
  if (values === undefined) return [];
  const condition = (column: string) => `${column} IN (${values.map(constant).join(", ")})`;
  return [{ ...named(table, name, "check"), values: values.map(String), condition }];
}

function travels(column: Column, table: Table, mesh: Mesh): readonly CheckSchema[] {
  const condition = travelRule(column, table, mesh);
  return condition === undefined
    ? []
    : [
        {
          ...named(table, column.name, "travels"),
          values: undefined,
          condition,
          reason: `No message can carry ${unsentBy(column)}: neither an event nor a copy could have the row.`,
        },
      ];
}

/** The rules of the payloads that every row comes by; without what `one_of` says already. */
function payload(column: Column, table: Table, mesh: Mesh): readonly CheckSchema[] {
  const rules = tableConditions(column, table, mesh);
  const [known] = oneOf(column, table);
  const remaining = (value: string) => rules(value).filter((rule) => rule !== known?.condition(value));
  if (remaining("value").length === 0) return [];
  const condition = (value: string) => conjunction(remaining(value));
  return [
    {
      ...named(table, column.name, "payload"),
      values: undefined,
      condition,
      reason:
        "An event tells of each row, and its payload takes no other value: see the event's fields in mesh.yaml.",
    },
  ];
}

function named(table: Table, column: string, kind: string) {
  return { name: objectName(...nameParts(table), column, kind), columns: [column] };
}
