import type { ColumnType } from "@meshwright/runtime/column-types";
import { onceFor } from "../collections/once.js";
import type { Report } from "../diagnostics/report.js";
import type { TextNode } from "../language/node.js";
import type { Program } from "../language/program.js";
import type {
  ColumnSymbol,
  DatabaseSymbol,
  EventSymbol,
  ServiceSymbol,
  TableSymbol,
  ViewSymbol,
} from "../language/symbols.js";
import type { Span } from "../source/text.js";
import { type Naming, wireName } from "../vocabulary/namings.js";
import { repeats } from "./repeats.js";

/** The service's table of that name; else says that it is missing, or whose it is. */
export function reportMissingTable(
  written: Pick<TextNode<unknown>, "span"> & {
    readonly value: string;
    /** It may name a view as well, of which nothing is returned. */
    readonly servable?: true;
  },
  service: ServiceSymbol,
  program: Program,
  report: Report,
): TableSymbol | undefined {
  const { servable = false } = written;
  const { database } = service;
  // A database of two services was meant to be two: the tables of one of them are elsewhere.
  if (database === undefined) return undefined;
  const table = database.tables.get(written.value);
  if (table === undefined && database.views.has(written.value)) {
    if (!servable) report("not-of-view", written.span, { view: written.value });
    return undefined;
  }
  if (table !== undefined || database.owners.length > 1) return table;
  const known: ReadonlyMap<string, TableSymbol | ViewSymbol> =
    servable && database.views.size > 0
      ? new Map<string, TableSymbol | ViewSymbol>([...database.tables, ...database.views])
      : database.tables;
  const near = report.nearest(written.value, known, (candidate) => candidate.span);
  const owner = ownerOf(written.value, program);
  if (owner === undefined || near !== undefined) {
    report("unknown-table", written.span, { table: written.value, database: database.name, known }, near);
  } else {
    report("foreign-table", written.span, { table: written.value, owner: owner.name, service: service.name });
  }
  return undefined;
}

function ownerOf(table: string, program: Program): ServiceSymbol | undefined {
  return tableOwners(program).get(table);
}

/** Of tables of one name, the first. */
const tableOwners = onceFor((program: Program) => {
  const owners = new Map<string, ServiceSymbol | undefined>();
  for (const { table, database } of allTables(program)) {
    if (!owners.has(table.name)) owners.set(table.name, database.owners[0]);
  }
  return owners;
});

export interface WrittenColumn {
  readonly value: string;
  readonly span: Span;
  /** The text that it is a part of: `old.price`, `buyer_id.name`. */
  readonly within?: (column: string) => string;
}

/** Says so when the table has no such column. `naming`: of the written name, where it is that of a field. */
export function reportMissingColumn(
  { value, span, within = (column) => column }: WrittenColumn,
  table: TableSymbol | ViewSymbol,
  report: Report,
  naming: Naming = "columns",
): void {
  if (table.columns.has(value)) return;
  const known = new Map([...table.columns.values()].map((column) => [wireName(column.name, naming), column]));
  const near = report.nearest(value, known, (column) => column.span);
  const clue = near !== undefined && "meant" in near ? { ...near, meant: within(near.meant) } : near;
  report("unknown-column", span, { table: table.name, column: value, known }, clue);
}

/** A list of columns names those of the table, each once. */
export function reportColumns(
  columns: readonly WrittenColumn[],
  table: TableSymbol | ViewSymbol,
  report: Report,
): void {
  for (const column of columns) reportMissingColumn(column, table, report);
  for (const { value: column } of repeats(columns, ({ value }) => value))
    report("repeated-column", column.span, { column: column.value });
}

/** The columns of its table whose values make the entity's id. */
export function entityColumns({ table, id }: EventSymbol): readonly ColumnSymbol[] {
  if (id === undefined) return table?.key ?? [];
  const column = table?.columns.get(id.value);
  return column === undefined ? [] : [column];
}

/** The type of an id that these columns make: of several it is a text; undefined where that is not known. */
export function idType([column, ...others]: readonly ColumnSymbol[]): ColumnType | undefined {
  return others.length > 0 ? "text" : column?.type;
}

/** `order_id, line_no` */
export function namesOf(columns: readonly Pick<ColumnSymbol, "name">[]): string {
  return columns.map(({ name }) => name).join(", ");
}

export interface PlacedTable {
  readonly table: TableSymbol;
  readonly database: DatabaseSymbol;
}

export function allViews({ databases }: Program): readonly ViewSymbol[] {
  return [...databases.values()].flatMap(({ views }) => [...views.values()]);
}

export function* allTables(program: Program): Generator<PlacedTable> {
  for (const database of program.databases.values()) {
    for (const table of database.tables.values()) yield { table, database };
  }
}
