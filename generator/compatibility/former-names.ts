import { matchNames } from "../migrations/match.js";
import type { Emit, Event, FieldSource, Mesh, Table } from "../model/mesh.js";

/** What was called otherwise before, so that a declared renaming is no other change besides. */
export interface Former {
  /** Tables that stay, as pairs. */
  readonly tables: (database: string) => Pairs<Table>;
  readonly columns: (pair: Pair<Table>) => Pairs<Table["columns"][number]>;
  /** The event's rows under the names of now. */
  readonly emit: (event: Event) => Emit | undefined;
  readonly source: (event: Event, source: FieldSource) => FieldSource;
}

export interface Pair<T> {
  readonly previous: T;
  readonly next: T;
}

export interface Pairs<T> {
  readonly kept: readonly Pair<T>[];
  readonly added: readonly T[];
  readonly dropped: readonly T[];
}

const KIND = { one: "table", of: "", within: {}, place: () => ({}) } as const;

export function readFormerNames(before: Mesh, next: Mesh): Former {
  const tables = (database: string): Pairs<Table> =>
    matchNames(tablesOf(before, database), tablesOf(next, database), KIND, () => undefined);
  const columns = ({ previous, next: now }: Pair<Table>) =>
    matchNames(previous.columns, now.columns, KIND, () => undefined);
  const renamed = new Map<string, ReadonlyMap<string, string> | undefined>();
  const pairOf = ({ service, emit }: Event): Pair<Table> | undefined => {
    const databases = before.databases.filter((database) => database.service === service);
    return databases
      .flatMap(({ name }) => tables(name).kept)
      .find(({ previous }) => previous.name === emit?.table);
  };
  const namesFor = (event: Event): ReadonlyMap<string, string> => {
    const key = `${event.service} ${event.emit?.table}`;
    const pair = renamed.has(key) ? undefined : pairOf(event);
    if (pair !== undefined)
      renamed.set(key, new Map(columns(pair).kept.map((kept) => [kept.previous.name, kept.next.name])));
    return renamed.get(key) ?? new Map();
  };
  return {
    tables,
    columns,
    emit(event) {
      const { emit } = event;
      if (emit === undefined) return undefined;
      const names = namesFor(event);
      const name = (column: string) => names.get(column) ?? column;
      const each = (conditions: Emit["when"]) =>
        conditions.map((one) => ({ ...one, column: name(one.column) }));
      return {
        ...emit,
        table: pairOf(event)?.next.name ?? emit.table,
        id: emit.id && name(emit.id),
        at: emit.at && name(emit.at),
        of: emit.of.map(name),
        when: each(emit.when),
        unless: each(emit.unless),
      };
    },
    source(event, source) {
      const names = namesFor(event);
      const name = (column: string) => names.get(column) ?? column;
      switch (source.kind) {
        case "column":
          // What the owner's rows call it is a matter of HTTP.
          return { ...source, column: name(source.column), member: undefined };
        case "old":
          return { ...source, column: name(source.column) };
        case "referenced":
          return { ...source, by: name(source.by) };
        case "constant":
        case "object":
          return source;
        default:
          return source satisfies never;
      }
    },
  };
}

function tablesOf({ databases }: Mesh, database: string): readonly Table[] {
  return databases.find(({ name }) => name === database)?.tables ?? [];
}
