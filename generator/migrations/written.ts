import { createHash } from "node:crypto";
import { visible } from "../quote/visible.js";
import type { CheckSchema, DatabaseState, TableSchema } from "./database-schema.js";
import { triggerText } from "./trigger-definitions.js";

/*
 * The state of a database after its migrations. Each file ends with it, a line of JSON for each table that the file has
 * changed. So the next migration follows from the chain alone, whatever became of the lock.
 */

/** A function or trigger as it was written: its text is known by its digest. */
export interface WrittenTrigger {
  readonly name: string;
  readonly table: string;
  readonly digest: string;
}

export interface WrittenState {
  readonly tables: readonly TableSchema[];
  readonly functions: readonly WrittenTrigger[];
  readonly triggers: readonly WrittenTrigger[];
}

export const NOTHING: WrittenState = { tables: [], functions: [], triggers: [] };

/** Whose database it is. */
export interface Owner {
  readonly service: string;
  readonly database: string;
  /** Schema of the mesh's tables, where the database is shared; absent: `mesh`. */
  readonly schema?: string;
}

export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

export function asWritten({ schema, triggers }: DatabaseState): WrittenState {
  const written = ({ name, table }: { name: string; table: string }, text: string) => ({
    name,
    table,
    digest: digest(text),
  });
  return {
    tables: schema.tables,
    functions: triggers.functions.map((definition) => written(definition, definition.text)),
    triggers: triggers.triggers.map((trigger) => written(trigger, triggerText(trigger))),
  };
}

const MODEL = "-- model: ";

/** A line of the model. */
type Entry =
  /** `whole`: no file before it has a model, so this one has all tables. */
  (Owner & { readonly whole?: true }) | { readonly dropped: string } | TableEntry;

/** What a table has lists of: an empty one is not written. */
type Lists = {
  [Key in keyof TableSchema]: TableSchema[Key] extends readonly unknown[] ? Key : never;
}[keyof TableSchema];

interface TableEntry
  extends Omit<TableSchema, "name" | Lists>,
    Partial<Omit<Pick<TableSchema, Lists>, "checks">> {
  readonly table: string;
  readonly checks?: readonly WrittenCheck[];
  /** Digests by name. */
  readonly functions?: Readonly<Record<string, string>>;
  readonly triggers?: Readonly<Record<string, string>>;
}

/** Stands for the column in a condition; no SQL can hold it. */
const COLUMN = "\0";

interface WrittenCheck extends Omit<CheckSchema, "condition"> {
  readonly condition: string;
}

const NO_LISTS: Pick<TableSchema, Lists> = {
  uniques: [],
  checks: [],
  foreignKeys: [],
  indexes: [],
  timed: [],
  columns: [],
};

/** The lines with which a migration ends that leads from one state to the other; where `before` is undefined, with all tables. */
export function printModel(
  owner: Owner,
  before: WrittenState | undefined,
  after: WrittenState,
): readonly string[] {
  const old = new Map((before?.tables ?? []).map(({ name }) => [name, printTable(name, before ?? NOTHING)]));
  const tables = after.tables.map(({ name }) => [name, printTable(name, after)] as const);
  const kept = new Set(tables.map(([name]) => name));
  const lines = [
    JSON.stringify({ ...owner, ...(before === undefined && { whole: true }) }),
    ...[...old.keys()].filter((name) => !kept.has(name)).map((name) => JSON.stringify({ dropped: name })),
    ...tables.filter(([name, line]) => old.get(name) !== line).map(([, line]) => line),
  ];
  return lines.map((line) => MODEL + visible(line));
}

function printTable(name: string, { tables, functions, triggers }: WrittenState): string {
  const table = tables.find((each) => each.name === name);
  const checks = table?.checks.map((check) => ({ ...check, condition: check.condition(COLUMN) }));
  const { name: _, description: __, ...schema } = { ...NO_LISTS, ...table, checks: checks ?? [] };
  const digests = (items: readonly WrittenTrigger[]) => {
    const own = items.filter((item) => item.table === name).map((item) => [item.name, item.digest] as const);
    return own.length === 0 ? undefined : Object.fromEntries(own);
  };
  const said = Object.entries(schema).filter(([, value]) => !(Array.isArray(value) && value.length === 0));
  const entry = {
    table: name,
    ...Object.fromEntries(said),
    functions: digests(functions),
    triggers: digests(triggers),
  };
  return JSON.stringify(entry, (key, value: unknown) => (key === "reason" ? undefined : value));
}

export interface Model {
  readonly owner: Owner;
  /** The state after the file, from the state before it. */
  readonly apply: (before: WrittenState | undefined) => WrittenState | undefined;
}

/** undefined: the file has no model, since a person wrote it. */
export function readModel(text: string): Model | undefined {
  const lines = text.trimEnd().split(/\r?\n/);
  const start = lines.findLastIndex((line) => !line.startsWith(MODEL)) + 1;
  const entries = lines.slice(start).flatMap((line) => parseEntry(line.slice(MODEL.length)) ?? []);
  const owner = entries.find((entry) => "service" in entry);
  if (owner === undefined) return undefined;
  const dropped = entries.flatMap((entry) => ("dropped" in entry ? [entry.dropped] : []));
  const changed = entries.flatMap((entry) => ("table" in entry ? [readTable(entry)] : []));
  return {
    owner: {
      service: owner.service,
      database: owner.database,
      ...(owner.schema !== undefined && { schema: owner.schema }),
    },
    apply(before) {
      const base = owner.whole === true ? NOTHING : before;
      return base && replaceTables(base, new Set(dropped), changed);
    },
  };
}

/** Of a file that somebody has edited: its name, which holds a hash, refuses it elsewhere; here it must not end the run. */
function parseEntry(json: string): Entry | undefined {
  try {
    return JSON.parse(json) as Entry;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readTable({
  table: name,
  checks = [],
  functions = {},
  triggers = {},
  ...schema
}: TableEntry): WrittenState {
  const read = (digests: Readonly<Record<string, string>>) =>
    Object.entries(digests).map(([each, value]) => ({ name: each, table: name, digest: value }));
  const readCheck = ({ condition, ...check }: WrittenCheck): CheckSchema => ({
    ...check,
    condition: (column) => condition.replaceAll(COLUMN, () => column),
  });
  return {
    tables: [{ ...NO_LISTS, ...schema, checks: checks.map(readCheck), name }],
    functions: read(functions),
    triggers: read(triggers),
  };
}

function replaceTables(
  base: WrittenState,
  dropped: ReadonlySet<string>,
  changed: readonly WrittenState[],
): WrittenState {
  const gone = new Set([...dropped, ...changed.flatMap(({ tables }) => tables.map(({ name }) => name))]);
  const stays = ({ table }: WrittenTrigger) => !gone.has(table);
  return {
    tables: [
      ...base.tables.filter(({ name }) => !gone.has(name)),
      ...changed.flatMap(({ tables }) => tables),
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
    functions: [...base.functions.filter(stays), ...changed.flatMap(({ functions }) => functions)],
    triggers: [...base.triggers.filter(stays), ...changed.flatMap(({ triggers }) => triggers)],
  };
}
