import { type KeyColumns, keyColumns } from "../database/key.js";
import { deliveryDefaults } from "../defaults.js";
import type {
  CascadeDefinition,
  ConsumedEvent,
  ConsumerDefinition,
  DeliveryDefinition,
} from "../definition/consumer-definition.js";
import type { EventDefinition } from "../definition/event-definition.js";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { kindOf, type ValueKind } from "../values/column-types.js";
import { fieldFilling, memberFilling } from "../values/field.js";
import type { Change } from "../vocabulary.js";
import { buildConditions, type Condition } from "./membership.js";
import { scopeOf } from "./scope.js";
import { readTemplate, type SubjectTemplate } from "./subject-template.js";

/*
 * A consumer's definition, resolved once at the start, so that nothing is looked up per event.
 */

export interface CacheModel {
  readonly table: TableDefinition;
  readonly key: KeyColumns;
  /** Every column but the key and those that only hooks fill, in the table's order: the order of an `EventModel`'s cells. */
  readonly columns: readonly ColumnDefinition[];
  /** Fields and members that fill columns of JSON: their texts are kept as they came. */
  readonly json: ReadonlySet<string>;
  /** Indexes of columns that say when a row was written (`synced_at`): set anew by each upsert. */
  readonly stamps: ReadonlySet<number>;
  /** Of a partial cache; else empty. */
  readonly conditions: readonly Condition[];
}

export interface EventModel {
  readonly definition: EventDefinition;
  readonly handler: ConsumedEvent<never>["handler"];
  readonly cascades: readonly CascadeDefinition[];
  readonly change: Change;
  /** Of an event with a subject of its own form. */
  readonly template: SubjectTemplate | undefined;
  /** For each of the cache's columns: does the event carry it? */
  readonly carries: readonly boolean[];
  /** The columns among them whose schema admits more than the column holds, the key included. */
  readonly checked: readonly ColumnDefinition[];
  /** Carries every column: its row can be written without knowing the former one. */
  readonly full: boolean;
}

export interface ConsumerModel {
  readonly definition: ConsumerDefinition;
  /** See `scopeOf`. */
  readonly scope: string;
  readonly delivery: DeliveryDefinition;
  readonly cache: CacheModel | undefined;
  readonly events: ReadonlyMap<string, EventModel>;
  /** Some of its events have subjects of their own form, and its durable may deliver more than these. */
  readonly hasTemplates: boolean;
  /** The entity's deletion, for one that is implied or found by a snapshot. */
  readonly deletion: EventModel | undefined;
  /**
   * Events of one entity must be applied in order, since an event that a later one overtakes is stale: its hook would not
   * run, columns that only it carries would stay old, or, of a deletion, its cascades would not run.
   */
  readonly orderMatters: boolean;
  /** Of several events of one entity the last one is enough: none has a hook, and each carries every column. */
  readonly lastSaysAll: boolean;
}

export function buildModel(definition: ConsumerDefinition): ConsumerModel {
  const cache = definition.cache === undefined ? undefined : buildCache(definition.cache, definition.events);
  const events = definition.events.map((event) => buildEvent(event, cache));
  const deletion = events.find((event) => event.change === "delete");
  const lastSaysAll = !events.some((event) => event.handler !== undefined || carriesSome(event));
  return {
    definition,
    scope: scopeOf(definition),
    delivery: { ...deliveryDefaults, ...definition.delivery },
    cache,
    events: new Map(events.map((event) => [event.definition.action, event])),
    hasTemplates: events.some(({ template }) => template !== undefined),
    deletion,
    orderMatters: !lastSaysAll || (deletion?.cascades ?? []).length > 0,
    lastSaysAll,
  };
}

function isDocument({ type }: ColumnDefinition): boolean {
  return kindOf(type) === "document";
}

function carriesSome({ change, full }: EventModel): boolean {
  return (change === "create" || change === "update") && !full;
}

function buildCache(table: TableDefinition, events: readonly ConsumedEvent<never>[]): CacheModel {
  const key = keyColumns(table);
  const columns = table.columns.filter((column) => !key.includes(column) && column.local !== true);
  const carried = new Set(events.flatMap(({ event }) => carriedColumns(event, table)));
  const isStamp = (column: ColumnDefinition) =>
    kindOf(column.type) === "moment" && column.defaulted === true && !carried.has(column.name);
  return {
    table,
    key,
    columns,
    json: new Set(
      columns.filter(isDocument).flatMap((column) => [fieldFilling(column), memberFilling(column)]),
    ),
    stamps: new Set(columns.flatMap((column, index) => (isStamp(column) ? [index] : []))),
    conditions: buildConditions(columns, table.where ?? []),
  };
}

/** Where a schema admits more than a column holds: numbers that JSON.parse has rounded or made infinite, and texts that PostgreSQL would read as some moment. */
const CHECKED: Readonly<Record<ValueKind, boolean>> = {
  text: true,
  uuid: true,
  "whole number": true,
  number: true,
  moment: true,
  decimal: true,
  day: true,
  bytes: true,
  list: true,
  boolean: false,
  document: false,
};

function buildEvent(
  { event: definition, handler, cascades = [] }: ConsumedEvent<never>,
  cache: CacheModel | undefined,
): EventModel {
  const named = new Set(cache && carriedColumns(definition, cache.table));
  const carries = (cache?.columns ?? []).map((column) => named.has(column.name));
  return {
    definition,
    handler,
    cascades,
    change: definition.change,
    template: definition.subject === undefined ? undefined : readTemplate(definition.subject),
    carries,
    checked: (cache?.table.columns ?? []).filter(
      ({ name, type }) => named.has(name) && CHECKED[kindOf(type)],
    ),
    full: carries.every((carried, index) => carried || cache?.stamps.has(index) === true),
  };
}

export function cascadesOf(model: ConsumerModel): readonly CascadeDefinition[] {
  return model.deletion?.cascades ?? [];
}

/**
 * The columns of a cache that an event tells the values of, the key included: those that its fields fill, unless hooks alone do. A
 * deletion tells none.
 */
export function carriedColumns(
  { change, fields }: EventDefinition,
  cache: TableDefinition,
): readonly string[] {
  switch (change) {
    case "create":
    case "update":
      return cache.columns
        .filter((column) => column.local !== true && fields.includes(fieldFilling(column)))
        .map(({ name }) => name);
    case "delete":
    case "none":
      return [];
    default:
      return change satisfies never;
  }
}
