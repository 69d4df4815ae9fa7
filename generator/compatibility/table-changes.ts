import { type ColumnType, factsOf } from "@meshwright/runtime/column-types";
import { mayBeLeftOut } from "../emit/json-schema/body.js";
import { castBetween, keepsForm } from "../migrations/casts.js";
import { sqlDefault, sqlType } from "../migrations/sql-types.js";
import type { CacheOf, Column, Database, Table } from "../model/mesh.js";
import { type Change, type ChangeKind, changeOf } from "./change.js";
import {
  type ColumnSays,
  classFor,
  columnChange,
  isOfCopy,
  replicas,
  type TableAbout,
} from "./column-change.js";
import { narrowerCopies } from "./copies.js";
import type { Pair } from "./former-names.js";
import { type Meshes, same } from "./meshes.js";
import { distinct, httpReadersOf, partiesOf } from "./readers.js";
import { compareTableRules } from "./table-rule-changes.js";
import { writersOf } from "./writers.js";

/** Tables, columns and what they hold, in a database that was there before. */
export function compareTables(database: Pair<Database>, meshes: Meshes): readonly Change[] {
  const { name } = database.next;
  const { kept, added, dropped } = meshes.former.tables(name);
  return [
    ...dropped.map((table) =>
      tableChange("table-dropped", { table, database, meshes, gone: true, says: "goes" }),
    ),
    ...added.map((table) => tableAdded(table, database, meshes)),
    ...kept.flatMap((pair) => compareTable({ pair, database, meshes })),
  ];
}

function tableAdded(table: Table, database: Pair<Database>, meshes: Meshes): Change {
  return table.cache === undefined
    ? tableChange("table-added", { table, database, meshes, says: "is new" })
    : copyAdded(table, { database, meshes, of: table.cache.entity });
}

/** Whose snapshot and events it is filled by comes first. */
function copyAdded(
  table: Table,
  { database, meshes, of }: { database: Pair<Database>; meshes: Meshes; of: string },
): Change {
  const { name, service } = database.next;
  const [publisher = ""] = of.split(".");
  const concerns = [{ service, field: table.name, as: "takes a snapshot when it starts" }];
  return changeOf("copy-added", {
    path: ["databases", name, "tables", table.name],
    message: `${name}: ${table.name} is a new copy of ${of}`,
    concerns,
    parties: partiesOf(publisher, concerns, meshes.next),
    rows: { database: name, tables: [table.name] },
  });
}

function movedText({ previous, next }: Pair<Table>): string {
  if (previous.existing === next.existing) return "is another table of PostgreSQL";
  return next.existing
    ? "is one that exists from now on, and no longer the one that migrations have made"
    : "is made by migrations from now on, and no longer the one that exists";
}

interface TableSays {
  readonly table: Table;
  readonly database: Pair<Database>;
  readonly meshes: Meshes;
  readonly gone?: true;
  readonly says: string;
  readonly former?: string;
}

function tableChange(kind: ChangeKind, said: TableSays): Change {
  const { table, database, meshes, gone, says, former } = said;
  const mesh = gone ? meshes.before : meshes.next;
  const owner = database.next.service;
  const concerns =
    kind === "table-added" ? [] : distinct([replicas(owner), ...httpReadersOf(table, owner, mesh)]);
  return changeOf(kind, {
    path: ["databases", database.next.name, "tables", table.name],
    gone,
    message: `${database.next.name}: ${table.name} ${says}`,
    concerns,
    parties: partiesOf(owner, concerns, mesh),
    rows: {
      database: database.next.name,
      tables: former === undefined ? [table.name] : [table.name, former],
    },
    ...classFor(kind, table),
  });
}

function compareTable(about: TableAbout): readonly Change[] {
  const { pair, database, meshes } = about;
  const { previous, next } = pair;
  const renamed =
    previous.name === next.name
      ? []
      : [
          tableChange("table-renamed", {
            table: next,
            database,
            meshes,
            former: previous.name,
            says: `was called ${previous.name}`,
          }),
        ];
  if (!same(placeOf(pair, "previous"), placeOf(pair, "next"))) {
    return [...renamed, tableChange("table-moved", { table: next, database, meshes, says: movedText(pair) })];
  }
  const columns = meshes.former.columns(pair);
  return [
    ...renamed,
    ...columns.dropped.map((column) =>
      columnChange("column-dropped", { ...about, column, gone: true, says: "goes" }),
    ),
    ...columns.added.map((column) => columnAdded(column, about)),
    ...columns.kept.flatMap((each) => compareColumn(each, about)),
    ...compareTableRules(about, new Map(columns.kept.map((each) => [each.previous.name, each.next.name]))),
  ];
}

/** Which table of PostgreSQL it is, but for the name of one that the mesh makes, which a migration changes. */
function placeOf(pair: Pair<Table>, side: keyof Pair<Table>): readonly unknown[] {
  const { at, existing } = pair[side];
  const isCalledAlike = pair.previous.name === pair.next.name;
  return [at?.schema, existing, existing && isCalledAlike && at?.table];
}

function columnAdded(column: Column, about: TableAbout): Change {
  const value = sqlDefault(column);
  const mayBeLeftOut = column.nullable || column.default !== undefined || column.defaulted === true;
  if (!mayBeLeftOut) {
    return columnChange("column-required", {
      ...about,
      column,
      says: "is new, and must be given: adding it fails as soon as the table has a row",
      order: "column-filled-first",
      safe: "give it a default; or add it with null: true, fill it, and demand it a release later",
    });
  }
  const says =
    value === undefined ? "is new, and NULL in rows of before" : `is new, and ${value} in rows of before`;
  return columnChange("column-added", { ...about, column, says });
}

function compareColumn({ previous, next }: Pair<Column>, about: TableAbout): readonly Change[] {
  const said = { ...about, column: next };
  const isServed = httpReadersOf(about.pair.next, about.database.next.service, about.meshes.next).length > 0;
  // A column by which rows are deleted softly is in no answer.
  const isShown = isServed && next.private !== true && about.pair.next.softDelete !== next.name;
  const changes: Change[] = [];
  const add = (kind: ChangeKind, says: string, more: Partial<ColumnSays> = {}) =>
    changes.push(columnChange(kind, { ...said, says, ...more }));
  if (previous.name !== next.name)
    add("column-renamed", `was called ${previous.name}`, { former: previous.name });
  const [from, to] = [sqlType(previous.type), sqlType(next.type)];
  if (from !== to) changes.push(retyped({ previous, next }, said));
  if (previous.nullable && !next.nullable)
    add("column-required", "must be given, and could be NULL", {
      key: "null",
      safe: isOfCopy(about.pair.next, next)
        ? "leave it null: true, which costs nothing; or give it a default"
        : `fill the rows that have none a release before (UPDATE … WHERE ${next.name} IS NULL), or give it a default`,
    });
  if (!previous.nullable && next.nullable) {
    add(isShown ? "column-nullable-shown" : "column-nullable", "may be NULL", { key: "null" });
  }
  changes.push(...compareDefaults(previous, next, said));
  const isSaid = changes.some(({ kind, class: of }) => kind === "column-required" && of !== "compatible");
  if (!isSaid && isDemandedOverHttp({ previous, next }, about))
    add("member-required", "must be given when a row is created, and could be left out");
  if (isServed && previous.private !== next.private) {
    const kind = next.private ? "column-hidden" : "column-shown";
    add(kind, next.private ? "is private now" : "is no longer private", { key: "private" });
  }
  const [was, is] = [memberOf(previous), memberOf(next)];
  if (isShown && was !== is && previous.name === next.name)
    add("member-renamed", `is shown as ${is}, no longer as ${was}`);
  if (isShown && previous.wide !== next.wide && sqlType(previous.type) === sqlType(next.type))
    add("member-retyped", `is shown as a ${jsonOf(next)}, no longer as a ${jsonOf(previous)}`);
  const { cache } = about.pair.next;
  if (
    cache !== undefined &&
    fillingOf(previous) !== fillingOf(next) &&
    isStillTold(fillingOf(previous), cache, about)
  ) {
    add("copy-filled-otherwise", `is filled by ${fillingOf(next)}, no longer by ${fillingOf(previous)}`);
  }
  return changes;
}

function retyped({ previous, next }: Pair<Column>, said: Omit<ColumnSays, "says">): Change {
  const [from, to] = [sqlType(previous.type), sqlType(next.type)];
  const [isWider, isNarrower] = [castBetween(from, to).lossless, castBetween(to, from).lossless];
  const kind = isWider
    ? keepsForm({ from, to })
      ? "column-lengthened"
      : "column-widened"
    : "column-narrowed";
  const about = { ...said, says: `is ${to}, no longer ${from}`, key: "type" };
  if (isOfCopy(said.pair.next, next))
    return isNarrower && !isWider
      ? columnChange(kind, { ...about, order: "rows-first", safe: AS_WIDE })
      : columnChange(kind, { ...about, safe: BESIDE });
  const narrower = narrowerCopies(previous, said, ({ type }) => castBetween(to, sqlType(type)).lossless);
  const safe = isWider ? undefined : widerDecimal(previous.type, next.type);
  return columnChange(kind, { ...about, narrower, ...(safe !== undefined && { safe }) });
}

const AS_WIDE = "leave it as it is: a copy may hold more than what it is of";
const BESIDE = "add a column of the new type beside it, which a snapshot fills, then drop the old one";

/** More decimals of as many digits leave fewer before the point. */
function widerDecimal(from: ColumnType, to: ColumnType): string | undefined {
  const [{ precision: digits = 0, scale: was }, { scale: is }] = [factsOf(from), factsOf(to)];
  if (was === undefined || is === undefined || is <= was) return undefined;
  return `numeric(${digits + is - was},${is}) has as many decimals, and holds every value of before`;
}

/** Another key says itself that rows are known otherwise. */
function isDemandedOverHttp(
  { previous, next }: Pair<Column>,
  { pair, database, meshes }: TableAbout,
): boolean {
  return (
    pair.previous.key.length === pair.next.key.length &&
    previous.key === next.key &&
    mayBeLeftOut(previous, pair.previous) &&
    !mayBeLeftOut(next, pair.next) &&
    writersOf(pair.next, database.next.service, meshes.next).length > 0
  );
}

function memberOf({ shown, name }: Column): string {
  return shown ?? name;
}

function jsonOf({ wide }: Column): string {
  return wide ? "decimal string" : "number";
}

/** What no event carries any more says so itself. */
function isStillTold(filling: string, { entity }: CacheOf, { meshes }: TableAbout): boolean {
  const events = meshes.next.events.filter((event) => `${event.service}.${event.entity}` === entity);
  return filling === HOOKS || events.some(({ payload }) => payload.some(({ name }) => name === filling));
}

const HOOKS = "its hooks";

function fillingOf({ local, filledBy, name }: Column): string {
  return local === true ? HOOKS : (filledBy?.field ?? name);
}

function compareDefaults(previous: Column, next: Column, said: Omit<ColumnSays, "says">): readonly Change[] {
  const [was, is] = [sqlDefault(previous), sqlDefault(next)];
  if (was === is || (isNow(previous) && isNow(next))) return [];
  if (is === undefined && !next.nullable && !previous.nullable) {
    return [
      columnChange("column-required", {
        ...said,
        says: "must be given, and had a default",
        key: "default",
        safe: "keep the default until every writer gives a value",
      }),
    ];
  }
  const says = is === undefined ? "has no default" : `has the default ${is}`;
  return [columnChange("default-changed", { ...said, says, key: "default" })];
}

/** In whatever form the column's type takes it. */
function isNow({ default: value }: Column): boolean {
  return value?.kind === "now" || value?.kind === "now_utc";
}
