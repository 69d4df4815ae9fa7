import type { ColumnDefinition, EventDefinition, MeshEvent } from "@meshwright/runtime";
import { kindOf } from "@meshwright/runtime/column-types";
import { fieldFilling, joinId, keyColumns, splitId, unfitReason } from "@meshwright/runtime/simulation";
import {
  type ForeignEntity,
  type ForeignEvent,
  type IdFields,
  type MeshFacts,
  type Payload,
  type PlayedService,
  subscriptionsOf,
} from "./mesh.js";

/*
 * Entities of external services: which messages their owners may publish.
 */

/** What may be a part of an id; the last of the first has to be encoded in a subject. */
const PARTS = [
  ["1", "2", "3", "é.*>: %4"],
  ["1", "2", "3", "4"],
  [1, 2, 3, 4].map((number) => `00000000-0000-4000-8000-00000000000${number}`),
];

/** Four ids of so many parts: of several, ids share each. */
function idsOf(parts: readonly (readonly string[])[]): readonly string[] {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  return [0, 1, 2, 3].map((number) =>
    joinId(parts.map((values, place) => values[3 * ((place === 0 ? number >> 1 : number) % 2)] ?? "")),
  );
}

/** Ids that the key columns take, of each kind that a text may be. */
function possibleIds(key: readonly ColumnDefinition[]): readonly (readonly string[])[] {
  const known = key.map(({ type }) => {
    const kind = kindOf(type);
    return kind === "whole number" ? PARTS[1] : kind === "uuid" ? PARTS[2] : undefined;
  });
  return PARTS.map((texts) =>
    idsOf((key.length === 0 ? [undefined] : known).map((values) => values ?? texts)),
  );
}

/** Those that somebody subscribes to, and of whose messages some are valid. */
export function describeForeign(
  services: readonly PlayedService[],
  payloads: MeshFacts["payloads"],
): readonly ForeignEntity[] {
  const consumers = subscriptionsOf(services).filter(({ stream }) => stream.external === true);
  const entities = [...new Set(consumers.map(({ entity }) => entity))];
  return entities.flatMap((entity): ForeignEntity[] => {
    const heard = consumers.filter((consumer) => consumer.entity === entity);
    const described = describeMessages(heard, payloads);
    const [service = ""] = entity.split(".");
    const envelope = heard[0]?.stream.envelope ?? "mesh";
    return described === undefined ? [] : [{ service, entity, envelope, ...described }];
  });
}

/** What may be said of an entity, where those that hear it take it; undefined where no payload was found for an event. */
export function describeMessages(
  heard: readonly ReturnType<typeof subscriptionsOf>[number][],
  payloads: MeshFacts["payloads"],
  given: { readonly ids?: readonly string[]; readonly says?: (event: EventDefinition) => boolean } = {},
): Pick<ForeignEntity, "ids" | "idFields" | "events"> | undefined {
  const { says = () => true } = given;
  const definitions = new Map(
    heard.flatMap(({ events }) => events.map(({ event }) => [event.action, event] as const)),
  );
  const said = [...definitions.values()].filter(says);
  if (said.length === 0) return undefined;
  const caches = heard.flatMap((consumer) => ("cache" in consumer && consumer.cache) || []);
  const idFields: IdFields = new Map([
    ...caches.flatMap((cache) => {
      const key = keyColumns(cache);
      return key.map((column, place) => [fieldFilling(column), { place, of: key.length }] as const);
    }),
    ...said.flatMap(({ idField }) =>
      idField === undefined ? [] : [[idField, { place: 0, of: 1 }] as const],
    ),
  ]);
  const fits = (payload: Payload) =>
    caches.every(({ columns }) =>
      columns.every((column) => {
        const value = payload[fieldFilling(column)];
        return value === undefined || value === null || unfitReason(column, value) === undefined;
      }),
    );
  const possible = caches[0] === undefined ? possibleIds([]) : possibleIds(keyColumns(caches[0]));
  for (const ids of given.ids === undefined ? possible : [given.ids]) {
    const events = said.map((definition): ForeignEvent => {
      const drawn = payloads[`${heard[0]?.entity}.${definition.action}`] ?? [];
      const valid = drawn.filter(
        (payload) => fits(payload) && ids.every((id) => isValid(definition, withId(payload, idFields, id))),
      );
      return { definition, payloads: valid };
    });
    if (events.every((event) => event.payloads.length > 0)) return { ids, idFields, events };
  }
  return undefined;
}

/** The payload of the entity with this id. */
export function withId(payload: Payload, idFields: IdFields, id: string): Payload {
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => {
      const part = idFields.get(name);
      if (part === undefined) return [name, value];
      const text = splitId(id, part.of)?.[part.place] ?? id;
      return [name, typeof value === "number" ? Number(text) : text];
    }),
  );
}

function isValid({ validate }: EventDefinition, payload: Payload): boolean {
  const metadata = {
    event_id: "00000000-0000-4000-8000-000000000000",
    entity_id: "1",
    timestamp: 0,
    source: "x",
  };
  return validate({ ...payload, metadata } as unknown as MeshEvent);
}
