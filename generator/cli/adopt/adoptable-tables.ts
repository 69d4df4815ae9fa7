import {
  type CatalogColumn,
  type CatalogForeignKey,
  type CatalogTable,
  OWNER_BOUND,
} from "@meshwright/runtime";
import {
  type ColumnType,
  factsOf,
  isReferable,
  kindOf,
  parseColumnType,
} from "@meshwright/runtime/column-types";
import { listedValues } from "./listed-values.js";

/*
 * What mesh.yaml can say of a database, and what it cannot: pure, from its catalogue.
 */

export interface AdoptableColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly defaulted: boolean;
  readonly unique: boolean;
  /** Called like a secret: in no message. */
  readonly private: boolean;
  /** Of a table that is adopted too. */
  readonly references:
    | {
        readonly schema: string;
        readonly table: string;
        readonly onDelete: "cascade" | "set_null" | "restrict";
      }
    | undefined;
  /** The only values that it may hold. */
  readonly oneOf: readonly (string | number)[] | undefined;
  readonly comment: string | null;
}

export interface AdoptableTable {
  readonly schema: string;
  readonly table: string;
  readonly comment: string | null;
  readonly key: readonly string[];
  /** Called like the moment of a soft deletion, and null in a row that names none. */
  readonly softDelete: string | undefined;
  readonly columns: readonly AdoptableColumn[];
  readonly unique: readonly (readonly string[])[];
  readonly indexes: readonly (readonly string[])[];
}

/** Something of the database that mesh.yaml does not get, and why. */
export interface LeftOut {
  /** `public.users`, `public.users.tags`. */
  readonly what: string;
  readonly why: string;
}

export interface Adoptable {
  readonly tables: readonly AdoptableTable[];
  readonly leftOut: readonly LeftOut[];
}

export function findAdoptable(catalog: readonly CatalogTable[]): Adoptable {
  const leftOut: LeftOut[] = [];
  const tables = catalog.flatMap((table) => adoptTable(table, leftOut) ?? []);
  return { tables: tables.map((table) => keepReferences(table, { tables, catalog, leftOut })), leftOut };
}

function placeOf({ schema, name }: CatalogTable): string {
  return `${schema}.${name}`;
}

const KINDS: Readonly<Record<string, string>> = {
  v: "a view: it has no events; to serve it for reading, name it under views, with what is its key",
  m: "a materialized view: it has no events; to serve it for reading, name it under views, with what is its key",
  p: "partitioned: rows that are written to a partition itself would go without their events",
  f: "a foreign table: its rows change elsewhere",
};

/** undefined: it cannot be taken, and why has been told. */
function adoptTable(table: CatalogTable, leftOut: LeftOut[]): AdoptableTable | undefined {
  const why = unfitness(table);
  if (why !== undefined) {
    leftOut.push({ what: placeOf(table), why });
    return undefined;
  }
  const columns = table.columns.flatMap((column) => adoptColumn(column, table, leftOut) ?? []);
  const named = new Set(columns.map(({ name }) => name));
  const whole = (sets: readonly (readonly string[])[]) =>
    distinct(
      sets.filter((set) => set.length > 0 && set.length <= 32 && set.every((name) => named.has(name))),
    );
  const key = table.primaryKey;
  const uniques = whole(table.uniques).filter((set) => set.join("\0") !== key.join("\0"));
  return {
    schema: table.schema,
    table: table.name,
    comment: table.comment,
    key,
    softDelete: columns.find(isDeletion)?.name,
    columns: columns.map((column) => ({
      ...column,
      unique: uniques.some((set) => set.length === 1 && set[0] === column.name),
    })),
    unique: uniques.filter((set) => set.length > 1),
    indexes: whole(table.indexes),
  };
}

function distinct(sets: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return [...new Map(sets.map((set) => [set.join("\0"), set])).values()];
}

/** A dot parts table and column in mesh.yaml. */
const UNSAYABLE = /[.\p{Cc}]/u;

function unfitness(table: CatalogTable): string | undefined {
  const { kind, inherited, primaryKey, columns, schema, name } = table;
  if (KINDS[kind] !== undefined) return KINDS[kind];
  if (table.ownerBound) return OWNER_BOUND;
  if (inherited) return "it inherits, or others inherit from it: rows of one are rows of another";
  if ([schema, name].some((part) => UNSAYABLE.test(part))) return "a name with a dot or a control character";
  if (primaryKey.length === 0)
    return "it has no primary key, so nothing tells its rows apart: give it one (ALTER TABLE … ADD PRIMARY KEY …) and adopt again";
  const why = primaryKey.map((name) => unfitKey(name, columns, primaryKey.length));
  return why.find((each) => each !== undefined);
}

function unfitKey(name: string, columns: readonly CatalogColumn[], parts: number): string | undefined {
  const column = columns.find((each) => each.name === name);
  const type = column && typeOf(column);
  const what = parts === 1 ? `its key "${name}"` : `"${name}", a part of its key,`;
  if (type === undefined || !factsOf(type).key) return `${what} is ${column?.declared}`;
  if (SECRET.test(name)) return `${what} is called like a secret, and would be in every subject`;
  return UNSAYABLE.test(name) ? "a key with a dot or a control character in its name" : undefined;
}

/** PostgreSQL's names of types that mesh.yaml calls otherwise; undefined: a type of the user's own, called like one of mesh.yaml. */
const NAMES: Readonly<Record<string, string | undefined>> = {
  "character varying": "text",
  citext: "text",
  "double precision": "number",
  jsonb: "json",
  number: undefined,
  nanoid: undefined,
};

/** A type of PostgreSQL as mesh.yaml writes it. */
function spell(sql: string): ColumnType | undefined {
  if (sql.endsWith("[]")) {
    const element = spell(sql.slice(0, -2));
    return element === undefined ? undefined : parseColumnType(`${element}[]`);
  }
  if (Object.hasOwn(NAMES, sql)) return parseColumnType(NAMES[sql] ?? "");
  return parseColumnType(
    sql
      .replace(/^character varying\(/, "varchar(")
      .replace(/^character\(/, "char(")
      .replace(/^timestamp(\(\d\))? without time zone$/, "timestamp")
      .replace(/^timestamp(\(\d\))? with time zone$/, "timestamptz"),
  );
}

/** The type of mesh.yaml that holds the column's values, of a domain those of its base; undefined where there is none. */
export function typeOf({ type, limited, declared, typeKind }: CatalogColumn): ColumnType | undefined {
  return typeKind === "e" ? "text" : (spell(declared) ?? spell(limited) ?? spell(type));
}

const SECRET = /passw|passwd|secret|token|hash|salt|api_?key|private_?key|credential/i;

function adoptColumn(
  column: CatalogColumn,
  table: CatalogTable,
  leftOut: LeftOut[],
): Omit<AdoptableColumn, "unique"> | undefined {
  const type = typeOf(column);
  const isKey = table.primaryKey.includes(column.name);
  const what = `${placeOf(table)}.${column.name}`;
  const why =
    type === undefined
      ? `its type is ${column.declared}`
      : column.generated
        ? "PostgreSQL computes it"
        : UNSAYABLE.test(column.name)
          ? "a name with a dot or a control character"
          : undefined;
  if (type === undefined || why !== undefined) {
    leftOut.push({ what, why: why ?? "" });
    return undefined;
  }
  return {
    name: column.name,
    type,
    nullable: !column.notNull,
    defaulted: column.defaulted,
    private: !isKey && SECRET.test(column.name),
    references: referenceOf(column.name, table),
    oneOf: isKey ? undefined : listedValues(column, type),
    comment: column.comment,
  };
}

/** Taken for it rather than not: rows that their owner counts as deleted would be published as living ones. */
function isDeletion({ name, type, nullable, defaulted }: Omit<AdoptableColumn, "unique">): boolean {
  return /^(deleted|removed)_?at$/i.test(name) && kindOf(type) === "moment" && nullable && !defaulted;
}

const ACTIONS: Readonly<Record<string, "cascade" | "set_null" | "restrict">> = {
  a: "restrict",
  r: "restrict",
  c: "cascade",
  n: "set_null",
};

function referenceOf(column: string, table: CatalogTable): AdoptableColumn["references"] {
  const key = table.foreignKeys.find((each) => isOver(each, column));
  const onDelete = key && ACTIONS[key.onDelete];
  return key && onDelete && { schema: key.schema, table: key.table, onDelete };
}

function isOver({ columns }: CatalogForeignKey, column: string): boolean {
  return columns.length === 1 && columns[0] === column;
}

/** References to the keys of tables that are taken; others are somebody's, and stay as they are. */
function keepReferences(
  table: AdoptableTable,
  {
    tables,
    catalog,
    leftOut,
  }: {
    readonly tables: readonly AdoptableTable[];
    readonly catalog: readonly CatalogTable[];
    readonly leftOut: LeftOut[];
  },
): AdoptableTable {
  const known = catalog.find(({ schema, name }) => schema === table.schema && name === table.table);
  const keys = known?.foreignKeys ?? [];
  const kept = new Set(
    table.columns.filter((column) => {
      const to = tables.find(
        ({ schema, table: name }) => schema === column.references?.schema && name === column.references.table,
      );
      const key = keys.find((each) => isOver(each, column.name));
      const target = to?.columns.find(({ name }) => name === to.key.join());
      return (
        to !== undefined &&
        key?.targets.join("\0") === target?.name &&
        target !== undefined &&
        isReferable(column.type, target.type)
      );
    }),
  );
  for (const key of keys) {
    if ([...kept].some(({ name }) => isOver(key, name))) continue;
    leftOut.push({
      what: `${table.schema}.${table.table} (${key.columns.join(", ")})`,
      why: `a foreign key that mesh.yaml cannot say: to ${key.schema}.${key.table} (${key.targets.join(", ")})`,
    });
  }
  return {
    ...table,
    columns: table.columns.map((column) =>
      kept.has(column) ? column : { ...column, references: undefined },
    ),
  };
}
