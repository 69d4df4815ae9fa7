import type { Column, Database, Table } from "../model/mesh.js";
import { type Change, type ChangeKind, type Concern, changeOf, type Finding } from "./change.js";
import type { ChangeClass, DeployOrder } from "./change-class.js";
import type { Pair } from "./former-names.js";
import type { Meshes } from "./meshes.js";
import { distinct, partiesOf } from "./readers.js";
import { noticedOverHttp } from "./writers.js";

export interface TableAbout {
  readonly pair: Pair<Table>;
  readonly database: Pair<Database>;
  readonly meshes: Meshes;
}

export function replicas(service: string): Concern {
  return { service, as: "its running replicas" };
}

/** Rows of a copy come again from their source: what goes is not lost, and who suffers is who reads it. What exists is not touched. */
export function classFor(
  kind: ChangeKind,
  { cache, existing }: Table,
  column?: Column,
): { class?: ChangeClass } {
  if (cache === undefined && existing !== true) return {};
  if (existing === true && (kind === "column-dropped" || kind === "table-dropped"))
    return { class: "breaking-consumer" };
  if (existing === true && UNTOUCHED.has(kind)) return { class: "compatible" };
  if (cache === undefined || column?.local === true) return {};
  return MILDER.has(kind) ? { class: "breaking-consumer" } : {};
}

const COMPARED = "; no SQL follows, and migrate compares it with the table that exists";
const UNCOMPARED = "; no SQL follows for a table that exists";

/** Of a table that exists no SQL follows from these: they tell the mesh what is there. */
const UNTOUCHED: ReadonlyMap<ChangeKind, string> = new Map<ChangeKind, string>([
  ["column-added", COMPARED],
  ["column-required", COMPARED],
  ["column-renamed", COMPARED],
  ["column-widened", COMPARED],
  ["column-narrowed", COMPARED],
  ["column-nullable", COMPARED],
  ["unique-added", COMPARED],
  ["unique-removed", UNCOMPARED],
  ["index-added", UNCOMPARED],
  ["index-removed", UNCOMPARED],
]);

/** What is added to the message where a table that exists is only told of. */
export function noteFor(kind: ChangeKind, { existing }: Table): string {
  return existing === true ? (UNTOUCHED.get(kind) ?? "") : "";
}

const MILDER: ReadonlySet<ChangeKind> = new Set<ChangeKind>([
  "table-dropped",
  "table-renamed",
  "column-dropped",
  "column-renamed",
  "column-widened",
  "column-narrowed",
  "column-required",
  "unique-added",
  "values-narrowed",
  "check-added",
  "key-changed",
]);

export interface ColumnSays extends TableAbout {
  readonly column: Column;
  readonly former?: string;
  readonly gone?: true;
  readonly says: string;
  readonly key?: string;
  readonly order?: DeployOrder;
  readonly safe?: string;
}

export function columnChange(kind: ChangeKind, said: ColumnSays): Change {
  const { pair, database, column, gone, former } = said;
  const { name: table } = pair.next;
  return changeOf(kind, {
    path: [
      "databases",
      database.next.name,
      "tables",
      gone ? pair.previous.name : table,
      "columns",
      column.name,
      ...(said.key === undefined ? [] : [said.key]),
    ],
    gone,
    message: `${database.next.name}: ${table}.${column.name} ${said.says}${noteFor(kind, pair.next)}`,
    ...concernsOf(kind, said),
    rows: {
      database: database.next.name,
      tables: [pair.previous.name, table],
      columns: former === undefined ? [column.name] : [former, column.name],
    },
    ...classFor(kind, pair.next, column),
    ...(said.order !== undefined && { order: said.order }),
    ...(said.safe !== undefined && { safe: said.safe }),
  });
}

/** Whose replicas write or read the rows, and who reads them over HTTP. */
function concernsOf(
  kind: ChangeKind,
  { pair, database, meshes, column, gone }: ColumnSays,
): Pick<Finding, "concerns" | "parties"> {
  const owner = database.next.service;
  const mesh = gone ? meshes.before : meshes.next;
  const table = gone ? pair.previous : pair.next;
  const readers =
    column.private === true && kind !== "column-hidden" ? [] : noticedOverHttp(kind, table, [owner, mesh]);
  const concerns = OF_HTTP.has(kind) ? readers : distinct([replicas(owner), ...readers]);
  return QUIET.has(kind) ? {} : { concerns, parties: partiesOf(owner, concerns, mesh) };
}

/** What only those notice who read or write rows over HTTP. */
const OF_HTTP: ReadonlySet<ChangeKind> = new Set<ChangeKind>([
  "column-hidden",
  "member-renamed",
  "column-nullable-shown",
]);
const QUIET: ReadonlySet<ChangeKind> = new Set<ChangeKind>([
  "column-added",
  "column-nullable",
  "default-changed",
  "unique-removed",
  "values-widened",
  "check-removed",
]);
