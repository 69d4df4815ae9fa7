import { randomUUID } from "node:crypto";
import type { PoolClient } from "pg";
import { idSql, keyArrays, keyIn } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import type { EventDefinition, MemberDefinition, MeshEvent } from "../definition/event-definition.js";
import type { Logger } from "../definition/hook-definition.js";
import { kindOf } from "../values/column-types.js";
import { splitId } from "../values/entity-id.js";
import { fieldOf, memberFilling } from "../values/field.js";
import { wireRow } from "../values/values.js";
import type { Change } from "../vocabulary.js";
import type { ConsumerModel, EventModel } from "./consumer-model.js";
import { type Incoming, toIncoming } from "./parse.js";

/*
 * Implied events: events that were lost, or that a snapshot overtook, made from what the snapshot or a later event shows.
 * Their hooks run all the same; the events themselves, should they still arrive, are stale then.
 */

export interface ImpliedEvent {
  readonly id: string;
  readonly change: Change;
  readonly version: number | null;
  readonly seq: number;
  /** A row as its owner shows it. */
  readonly row: Readonly<Record<string, unknown>>;
}

/** The event that would have said the same; undefined when no event of that change has a hook. */
export function toImpliedEvent(
  model: ConsumerModel,
  implied: ImpliedEvent,
  logger?: Logger,
): Incoming | undefined {
  const eventModel = hookedEvent(model, implied.change);
  if (eventModel === undefined) return undefined;
  const { entity } = model.definition;
  const event = makeEvent(model, eventModel, implied);
  const { name, action, validate } = eventModel.definition;
  if (!validate(event)) {
    logger?.warn(
      { entityId: implied.id, event: name },
      "the snapshot lacks fields of this event: its hook is called if the event itself comes",
    );
    return undefined;
  }
  return toIncoming(model, eventModel, {
    event,
    subject: `${entity}.${implied.id}.${action}`,
    seq: implied.seq,
  });
}

/** Whether the row has what the event must have. */
export function canBeMade(model: ConsumerModel, eventModel: EventModel, implied: ImpliedEvent): boolean {
  return eventModel.definition.validate(makeEvent(model, eventModel, implied));
}

function makeEvent(
  { definition: { entity } }: ConsumerModel,
  { definition }: EventModel,
  implied: ImpliedEvent,
): MeshEvent {
  const { _version, _first_version, ...row } = implied.row;
  return {
    metadata: {
      event_id: randomUUID(),
      entity_id: implied.id,
      timestamp: Math.floor(Date.now() / 1000),
      source: entity.slice(0, entity.indexOf(".")),
      ...(implied.version === null ? {} : { version: implied.version }),
    },
    ...row,
    ...fieldsMadeOf(definition.members ?? {}, row),
  };
}

function fieldsMadeOf(members: NonNullable<EventDefinition["members"]>, row: ImpliedEvent["row"]): object {
  const named = Object.entries(members).map(([field, member]) => [field, madeOf(member, row)]);
  return Object.fromEntries(named.filter(([, value]) => value !== undefined));
}

function madeOf(member: MemberDefinition, row: ImpliedEvent["row"]): unknown {
  if (typeof member === "string") return fieldOf(row, member);
  return "constant" in member ? member.constant : fieldsMadeOf(member.members, row);
}

export function hookedEvent(model: ConsumerModel, change: Change): EventModel | undefined {
  return [...model.events.values()].find((event) => event.change === change && event.handler !== undefined);
}

export interface Deletions {
  /** With the effective sequence at which each was found. */
  readonly deletions: readonly { readonly id: string; readonly seq: number }[];
  readonly logger: Logger;
}

/** The missing `deleted` events of entities that are about to be removed, made from what is still known of each. Call it before. */
export async function lostDeletions(
  client: PoolClient,
  model: ConsumerModel,
  { deletions, logger }: Deletions,
): Promise<readonly Incoming[]> {
  if (deletions.length === 0 || hookedEvent(model, "delete") === undefined) return [];
  const ids = deletions.map(({ id }) => id);
  const rows = model.cache === undefined ? bareIds(model, ids) : await cachedRows(client, model, ids);
  return deletions.flatMap(({ id, seq }) => {
    const row = rows.get(id) ?? outsideRow(model, id);
    if (row === undefined) return [];
    return toImpliedEvent(model, { id, change: "delete", version: null, seq, row }, logger) ?? [];
  });
}

/** Without a cache only the id is known: enough for an event that carries no more. */
function bareIds({ definition }: ConsumerModel, ids: readonly string[]) {
  const { key = [] } = definition.sync ?? {};
  const names = typeof key === "string" ? [key] : key;
  return new Map(
    ids.map((id) => {
      const parts = splitId(id, names.length);
      return [id, Object.fromEntries(names.map((name, index) => [name, parts?.[index]]))];
    }),
  );
}

/** Of an entity that a partial cache does not have, only the id is known. */
function outsideRow({ cache }: ConsumerModel, id: string): Readonly<Record<string, unknown>> | undefined {
  if (cache === undefined || cache.conditions.length === 0) return undefined;
  const parts = splitId(id, cache.key.length);
  if (parts === undefined) return undefined;
  return Object.fromEntries(
    cache.key.map((column, index) => [
      memberFilling(column),
      kindOf(column.type) === "whole number" && column.wide !== true ? Number(parts[index]) : parts[index],
    ]),
  );
}

/** The rows of the cache, as their owner would show them. */
async function cachedRows(
  client: PoolClient,
  model: ConsumerModel,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Record<string, unknown>>>> {
  const { cache } = model;
  if (cache === undefined) return new Map();
  const { rows } = await client.query<{ id: string; row: string }>(
    `SELECT ${idSql(cache.key, '"$row"')} AS id, ${wireRow({ columns: [...cache.key, ...cache.columns] }, '"$row"', memberFilling)} AS row
FROM ${relationOf(cache.table)} AS "$row" WHERE ${keyIn(cache.key, '"$row"')}`,
    [...keyArrays(cache.key, ids)],
  );
  return new Map(rows.map(({ id, row }) => [id, JSON.parse(row)]));
}
