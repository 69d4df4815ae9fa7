import type { Column, Database, Table } from "../model/mesh.js";
import { type Change, type ChangeKind, type Concern, changeKinds, changeOf, type Finding } from "./change.js";
import type { ChangeClass, DeployOrder, KindFacts } from "./change-class.js";
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

/** Rows of a copy come again from their source, and what exists is not touched. */
export function classFor(
  kind: ChangeKind,
  { cache, existing }: Table,
  column?: Column,
): { readonly class?: ChangeClass } {
  const { ofCopy, ofExisting }: KindFacts = changeKinds[kind];
  if (existing === true && ofExisting !== undefined)
    return { class: ofExisting === "left behind" ? "breaking-consumer" : "compatible" };
  const isCopied = cache !== undefined && column?.local !== true;
  return isCopied && ofCopy !== undefined ? { class: ofCopy } : {};
}

/** What is added to the message where a table that exists is only told of. */
export function noteFor(kind: ChangeKind, { existing }: Table): string {
  const { ofExisting }: KindFacts = changeKinds[kind];
  return existing === true && ofExisting !== undefined ? NOTES[ofExisting] : "";
}

const NOTES: Readonly<Record<NonNullable<KindFacts["ofExisting"]>, string>> = {
  compared: "; no SQL follows, and migrate compares it with the table that exists",
  "not compared": "; no SQL follows for a table that exists",
  "left behind": "",
};

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
  const { noticedBy }: KindFacts = changeKinds[kind];
  if (noticedBy === "nobody") return {};
  const readers =
    column.private === true && kind !== "column-hidden" ? [] : noticedOverHttp(kind, table, [owner, mesh]);
  const concerns = noticedBy === "readers" ? readers : distinct([replicas(owner), ...readers]);
  return { concerns, parties: partiesOf(owner, concerns, mesh) };
}
