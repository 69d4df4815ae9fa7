import type { SimulatedMesh } from "./mesh.js";

/*
 * What the schedules exercised of a mesh, and what never happened in any of them: an oracle says nothing of an event that was
 * never published.
 */

/**
 * `event published`: a message in the owner's stream. `event applied`: its handler ran, in a schedule in which every event has one.
 * `cascade`: a row that a service removed or set to null by the rule. `copy filled`: a snapshot was read to its end. `hook called`: one of the user's.
 */
const KINDS = [
  "row inserted",
  "row updated",
  "row deleted",
  "event published",
  "event applied",
  "copy filled",
  "cascade",
  "hook called",
] as const;
/** What may happen to a mesh. */
export type CoverageKind = (typeof KINDS)[number];

/** How often each thing of the mesh happened; 0 for what never did. */
export type Coverage = Readonly<Record<CoverageKind, Readonly<Record<string, number>>>>;

/** Rows that PostgreSQL refused. */
export interface Refusals {
  readonly refused: number;
  readonly inserted: number;
  /** The most frequent reason. */
  readonly reason: string;
}

export interface CoverageCounter {
  count(kind: CoverageKind, name: string, times?: number): void;
  countRefusal(table: string, reason: string): void;
  read(): Coverage;
  /** Tables into which no row got, though some were written. */
  refusedTables(): Readonly<Record<string, Refusals>>;
}

export function createCoverage(mesh: SimulatedMesh): CoverageCounter {
  const counts = new Map(KINDS.map((kind) => [kind, new Map<string, number>()]));
  const refusals = new Map<string, Map<string, number>>();
  const of = (kind: CoverageKind) => counts.get(kind) as Map<string, number>;
  for (const [kind, name] of thingsOf(mesh)) of(kind).set(name, 0);
  return {
    count(kind, name, times = 1) {
      // What is not in the list belongs to no declared thing: a poison message, for one.
      const before = of(kind).get(name);
      if (before !== undefined) of(kind).set(name, before + times);
    },
    countRefusal(table, reason) {
      const reasons = refusals.get(table) ?? new Map<string, number>();
      refusals.set(table, reasons.set(reason, (reasons.get(reason) ?? 0) + 1));
    },
    read: () =>
      Object.fromEntries([...counts].map(([kind, names]) => [kind, Object.fromEntries(names)])) as Coverage,
    refusedTables: () =>
      Object.fromEntries(
        [...refusals].flatMap(([table, reasons]) => {
          const inserted = of("row inserted").get(table) ?? 0;
          const [[reason] = [""]] = [...reasons].sort(([, a], [, b]) => b - a);
          const refused = [...reasons.values()].reduce((sum, times) => sum + times, 0);
          return inserted > 0 ? [] : [[table, { refused, inserted, reason }]];
        }),
      ),
  };
}

type Thing = readonly [CoverageKind, string];

function thingsOf({ services, stateless, tables, events }: SimulatedMesh): readonly Thing[] {
  const rows = tables.flatMap((owned) =>
    (["row inserted", "row updated", "row deleted"] as const)
      // Of a table that has its key alone no row can be updated.
      .filter((kind) => kind !== "row updated" || owned.columns.length > 0)
      .map((kind) => [kind, tableName(owned)] as const),
  );
  const consumed = services.flatMap(({ definition: { name, consumers, onEvent } }): readonly Thing[] => [
    ...consumers.flatMap(({ entity, events, cache, sync }) => [
      ...events.flatMap(({ event: { action }, handler, cascades = [] }) => [
        ["event applied", `${entity}.${action} in ${name}`] as const,
        ...(handler === undefined ? [] : [["hook called", `${name} on ${entity}.${action}`] as const]),
        ...cascades.flatMap(({ table, column, before }): Thing[] => [
          ["cascade", `${name} ${table.name}.${column}`] as const,
          ...(before === undefined ? [] : [["hook called", `${name} ${before.name}`] as const]),
        ]),
      ]),
      ...(sync === undefined || cache === undefined
        ? []
        : [["copy filled", `${name} ${cache.name}`] as const]),
    ]),
    ...(onEvent === undefined || consumers.length === 0 ? [] : [["hook called", `${name} onEvent`] as const]),
  ]);
  const handed = stateless.flatMap(({ definition: { name, stateless: handing } }): readonly Thing[] => [
    ...(handing?.consumers ?? []).flatMap(({ entity, events: heard, onEvent }) => [
      ...heard.flatMap(({ event: { action }, handler }) => [
        ["event applied", `${entity}.${action} in ${name}`] as const,
        ...(handler === undefined ? [] : [["hook called", `${name} on ${entity}.${action}`] as const]),
      ]),
      ...(onEvent === undefined ? [] : [["hook called", `${name} onEvent`] as const]),
    ]),
    ...(handing?.onEvent === undefined ? [] : [["hook called", `${name} onEvent`] as const]),
  ]);
  const published = events.map((name) => ["event published", name] as const);
  return [...rows, ...published, ...consumed, ...handed];
}

export function tableName({ service, table }: SimulatedMesh["tables"][number]): string {
  return `${service.definition.name} ${table.name}`;
}

/** What never happened, in the order of the kinds. */
export function neverExercised(coverage: Coverage): readonly string[] {
  return KINDS.flatMap((kind) =>
    Object.entries(coverage[kind])
      .filter(([, times]) => times === 0)
      .map(([name]) => `${kind}: ${name}`),
  );
}
