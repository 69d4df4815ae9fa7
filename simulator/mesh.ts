import type {
  ColumnDefinition,
  ConsumerDefinition,
  ServiceDefinition,
  TableDefinition,
} from "@meshwright/runtime";
import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import {
  columnShownAs,
  joinId,
  type KeyColumns,
  keyColumns,
  memberFilling,
  relationName,
  relationOf,
} from "@meshwright/runtime/simulation";
import type { SimulatedDatabase } from "./postgres/databases.js";

/*
 * The mesh as the simulator needs it: which rows can be written, with which values. Read from the generated
 * definitions; foreign keys, which those do not have, from the database.
 */

export interface SimulatedMesh {
  readonly services: readonly SimulatedService[];
  /** The tables that writers write to. Those that most others refer to come first. */
  readonly tables: readonly OwnedTable[];
}

export interface SimulatedService {
  readonly definition: ServiceDefinition;
  readonly database: SimulatedDatabase;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** By service, table and column: texts that PostgreSQL reads as values of the column. */
export type Samples = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>>
>;

export interface OwnedTable {
  readonly service: SimulatedService;
  readonly table: TableDefinition;
  readonly key: KeyColumns;
  readonly columns: readonly ColumnDefinition[];
  /** By column: the table whose keys it holds, through a foreign key or as the column of a cascade. */
  readonly refersTo: ReadonlyMap<string, OwnedTable>;
  /** By column: values that the payload's JSON Schema accepts. */
  readonly samples: ReadonlyMap<string, readonly string[]>;
  /** By column: values by which rows belong to partial copies. */
  readonly wanted: ReadonlyMap<string, readonly (string | null)[]>;
}

/** A consumer whose entity has a table in this mesh, so that the two can be compared. */
export interface Copy {
  readonly service: SimulatedService;
  readonly consumer: ConsumerDefinition;
  readonly owner: OwnedTable;
}

export async function describeMesh(
  services: readonly SimulatedService[],
  samples: Samples = {},
): Promise<SimulatedMesh> {
  const tables: (OwnedTable & { readonly refersTo: Map<string, OwnedTable> })[] = [];
  for (const service of services) {
    for (const table of service.definition.tables) {
      if (table.cacheOf !== undefined) continue;
      const key = keyColumns(table);
      const columns = table.columns.filter((column) => !key.includes(column));
      const ofTable = own(own(samples, service.definition.name), table.name);
      const byColumn = new Map(Object.entries(ofTable ?? {}));
      const wanted = wantedValues(table, `${service.definition.name}.${table.entity}`, services);
      tables.push({ service, table, key, columns, refersTo: new Map(), samples: byColumn, wanted });
    }
  }
  for (const owned of tables) {
    for (const [column, name] of await foreignKeys(owned)) {
      const target = tables.find(
        ({ service, table }) => service === owned.service && relationName(table) === name,
      );
      if (target !== undefined) owned.refersTo.set(column, target);
    }
    for (const { entity, column } of cascadesInto(owned)) {
      const target = findOwner(tables, entity);
      if (target !== undefined) owned.refersTo.set(column, target);
    }
  }
  const referrers = (target: OwnedTable) =>
    tables.filter(({ refersTo }) => [...refersTo.values()].includes(target)).length;
  return { services, tables: tables.toSorted((a, b) => referrers(b) - referrers(a)) };
}

function wantedValues(
  table: TableDefinition,
  entity: string,
  services: readonly SimulatedService[],
): OwnedTable["wanted"] {
  const copies = services.flatMap(({ definition }) =>
    definition.consumers.filter((consumer) => consumer.entity === entity),
  );
  const wanted = new Map<string, readonly (string | null)[]>();
  const conditions = copies.flatMap(({ cache }) =>
    (cache?.where ?? []).map((condition) => ({
      ...condition,
      column: cache?.columns.find(({ name }) => name === condition.column),
    })),
  );
  for (const { column, values = [], isNull } of conditions) {
    if (column === undefined) continue;
    const owned = columnShownAs(table, memberFilling(column));
    wanted.set(owned, [
      ...(wanted.get(owned) ?? []),
      ...values.map(String),
      ...(isNull === true ? [null] : []),
    ]);
  }
  return wanted;
}

/** A name in mesh.yaml may be that of an inherited property, such as `constructor`. */
function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}

export function copiesOf({ services, tables }: SimulatedMesh): readonly Copy[] {
  return services.flatMap((service) =>
    service.definition.consumers.flatMap((consumer): Copy[] => {
      const owner = findOwner(tables, consumer.entity);
      return owner === undefined ? [] : [{ service, consumer, owner }];
    }),
  );
}

function findOwner(tables: readonly OwnedTable[], entity: string): OwnedTable | undefined {
  return tables.find(
    ({ service, table }) =>
      `${service.definition.name}.${table.entity}` === entity && table.entity !== undefined,
  );
}

function cascadesInto({
  service,
  table,
}: OwnedTable): { readonly entity: string; readonly column: string }[] {
  return service.definition.consumers.flatMap(({ entity, events }) =>
    events
      .flatMap(({ cascades = [] }) => cascades)
      .filter((rule) => rule.table.name === table.name)
      .map(({ column }) => ({ entity, column })),
  );
}

async function foreignKeys({ service, table }: OwnedTable): Promise<ReadonlyMap<string, string>> {
  const rows = await service.database.query<{ column: string; target: string }>(
    `SELECT attname AS column, relname AS target
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] JOIN pg_class ON pg_class.oid = confrelid
WHERE contype = 'f' AND conrelid = $1::regclass AND cardinality(conkey) = 1 ORDER BY 1`,
    [relationOf(table)],
  );
  return new Map(rows.map(({ column, target }) => [column, target]));
}

/** The last one has to be encoded in a subject. */
const IDS = ["1", "2", "3", "é.*>: %4\u0001"];

/** The id of an entity of the table. */
export function keyOf(owned: OwnedTable, number: number): string {
  return joinId(keyParts(owned, number));
}

/** The texts of its key columns; of several, rows share each. */
export function keyParts(owned: OwnedTable, number: number): readonly string[] {
  const [n, last] = [number % IDS.length, IDS.length - 1];
  const { key, refersTo } = owned;
  if (key.length === 1) return key.map((column) => keyValue(owned, column, n));
  return key.map((column, index) => {
    const isLast = index === 0 ? n >= IDS.length / 2 : n % 2 === 1;
    const target = refersTo.get(column.name);
    return target === undefined
      ? keyValue(owned, column, isLast ? last : 0)
      : keyOf(target, isLast ? last : 0);
  });
}

function keyValue({ table, samples }: OwnedTable, { name, type }: ColumnDefinition, n: number): string {
  const sample = samples.get(name)?.[n];
  if (sample !== undefined) return sample;
  const kind = kindOf(type);
  if (kind === "whole number") return String(n + 1);
  if (kind === "uuid") return `00000000-0000-4000-8000-00000000000${n + 1}`;
  return `${table.name}-${IDS[n]}`;
}

/** A text that PostgreSQL reads as a value of the column; null for value 0 of a nullable column. */
export function valueFor(owned: OwnedTable, column: ColumnDefinition, value: number): string | null {
  if (column.nullable === true && value === 0) return null;
  const target = owned.refersTo.get(column.name);
  if (target !== undefined) return keyOf(target, value);
  const samples = owned.samples.get(column.name) ?? [];
  if (samples.length > 0) return samples[value % samples.length] ?? null;
  // Every other value, so that rows enter partial copies and leave them.
  const wanted = owned.wanted.get(column.name) ?? [];
  if (wanted.length > 0 && value % 2 === 1) return wanted[(value >> 1) % wanted.length] ?? null;
  if (column.oneOf !== undefined) return String(column.oneOf[value % column.oneOf.length]);
  const { kind, scale, element, length } = factsOf(column.type);
  switch (kind) {
    case "whole number":
    case "number":
      return String(value + 1);
    case "boolean":
      return String(value % 2 === 0);
    case "moment":
      return `2026-01-0${value + 1} 00:00:00`;
    case "decimal":
      return `${value}.${"5".repeat(Math.min(scale ?? 1, 1))}`.replace(/\.$/, "");
    case "day":
      return `2026-01-0${value + 1}`;
    case "bytes":
      return `\\x0${value}ff`;
    case "list":
      return element === undefined ? "{}" : listFor(owned, { name: column.name, type: element }, value);
    case "document":
      return JSON.stringify({ value });
    case "uuid":
      return `00000000-0000-4000-8000-0000000000a${value}`;
    case "text":
      return `${column.name}-${value}`.slice(-(length ?? 100));
    default:
      return kind satisfies never;
  }
}

/** As many elements as the number says. */
function listFor(owned: OwnedTable, element: ColumnDefinition, value: number): string {
  const alone = {
    ...owned,
    samples: new Map<string, readonly string[]>(),
    refersTo: new Map<string, OwnedTable>(),
  };
  return `{${Array.from({ length: value }, (_, at) => valueFor(alone, element, at)).join(",")}}`;
}
