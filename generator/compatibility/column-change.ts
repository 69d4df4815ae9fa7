import type { Column, Database, Mesh, Table } from "../model/mesh.js";
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
export function classFor(kind: ChangeKind, table: Table, column?: Column): { readonly class?: ChangeClass } {
  const { ofCopy, ofExisting }: KindFacts = changeKinds[kind];
  if (table.existing === true && ofExisting !== undefined)
    return { class: ofExisting === "left behind" ? "breaking-consumer" : "compatible" };
  return isOfCopy(table, column) && ofCopy !== undefined ? { class: ofCopy } : {};
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
  /** In place of the kind's, where less comes of it. */
  readonly class?: ChangeClass;
  readonly safe?: string;
  /** Copies that do not take what the column takes from now on. */
  readonly narrower?: readonly Concern[];
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
    ...(isOfCopy(pair.next, column) ? ofCopy(kind, said) : ofOwner(kind, said)),
    rows: {
      database: database.next.name,
      tables: [pair.previous.name, table],
      columns: former === undefined ? [column.name] : [former, column.name],
    },
    ...(said.safe !== undefined && { safe: said.safe }),
    ...(said.class !== undefined && { class: said.class }),
  });
}

export function isOfCopy({ cache }: Table, column?: Column): boolean {
  return cache !== undefined && column?.local !== true;
}

type Judgement = Pick<Finding, "concerns" | "parties" | "class" | "order">;

/** Copies that are narrower go first, whatever else is asked. */
function ofOwner(kind: ChangeKind, said: ColumnSays): Judgement {
  const { pair, meshes, database, column, order, narrower = [] } = said;
  const own = { ...concernsOf(kind, said), ...classFor(kind, pair.next, column) };
  if (narrower.length === 0) return { ...own, ...(order !== undefined && { order }) };
  const { class: of, order: asked }: KindFacts = changeKinds[kind];
  return {
    ...own,
    concerns: distinct([...(own.concerns ?? []), ...narrower]),
    parties: partiesOf(database.next.service, narrower, meshes.next),
    class: of === "compatible" ? "breaking-consumer" : of,
    order: asked === "any" ? "consumers-first" : "copies-before-rows",
  };
}

function ofCopy(kind: ChangeKind, said: ColumnSays): Judgement {
  const { pair, column, meshes, order } = said;
  const judged = { ...concernsOf(kind, said), ...classFor(kind, pair.next, column) };
  return { ...judged, ...orderOfCopy(pair.next, meshes.next, { kind, order, ...judged }) };
}

/** Of a table or column that is no copy nothing: rows of a copy are written by events and snapshots, and what is asked of writers is asked of who publishes. */
export function orderOfCopy(
  { cache }: Table,
  mesh: Mesh,
  said: { readonly kind: ChangeKind; readonly order?: DeployOrder | undefined } & Pick<Finding, "concerns">,
): Pick<Finding, "order" | "parties"> {
  const asked = said.order ?? changeKinds[said.kind].order;
  const order = OF_COPIES[asked] ?? said.order;
  if (order === undefined || cache === undefined) return {};
  const [publisher = ""] = cache.entity.split(".");
  return {
    order,
    ...(order === "demand-later" && { parties: partiesOf(publisher, said.concerns ?? [], mesh) }),
  };
}

const OF_COPIES: Partial<Record<DeployOrder, DeployOrder>> = {
  "rows-first": "demand-later",
  "column-filled-first": "copy-filled-first",
  "expand-contract-rows": "expand-contract-copy",
};

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
  const isOverHttpAlone = noticedBy === "readers" || noticedBy === "writers";
  const concerns = isOverHttpAlone ? readers : distinct([replicas(owner), ...readers]);
  return { concerns, parties: partiesOf(owner, concerns, mesh) };
}
