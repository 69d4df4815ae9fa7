import type { EventDefinition, MeshEvent } from "@meshwright/runtime";
import { fieldFilling, unfitReason } from "@meshwright/runtime/simulation";
import {
  type ForeignEntity,
  type ForeignEvent,
  type MeshFacts,
  type Payload,
  type PlayedService,
  subscriptionsOf,
} from "./mesh.js";

/*
 * Entities of external services: which messages their owners may publish.
 */

/** What may be an id; the last of the first has to be encoded in a subject. */
const IDS = [
  ["1", "2", "3", "é.*>: %4"],
  ["1", "2", "3", "4"],
  [1, 2, 3, 4].map((number) => `00000000-0000-4000-8000-00000000000${number}`),
];

/** Those that somebody subscribes to, and of whose messages some are valid. */
export function describeForeign(
  services: readonly PlayedService[],
  payloads: MeshFacts["payloads"],
): readonly ForeignEntity[] {
  const consumers = services.flatMap(({ definition }) =>
    subscriptionsOf(definition).filter(({ stream }) => stream.external === true),
  );
  const entities = [...new Set(consumers.map(({ entity }) => entity))];
  return entities.flatMap((entity): ForeignEntity[] => {
    const heard = consumers.filter((consumer) => consumer.entity === entity);
    const definitions = new Map(
      heard.flatMap(({ events }) => events.map(({ event }) => [event.action, event] as const)),
    );
    const caches = heard.flatMap((consumer) => ("cache" in consumer && consumer.cache) || []);
    // Its events would need an id of several fields.
    if (caches.some(({ key }) => typeof key !== "string")) return [];
    const keys = caches.flatMap(({ key, columns }) =>
      columns.filter(({ name }) => name === key).map(fieldFilling),
    );
    const idFields = new Set([...keys, ...[...definitions.values()].flatMap(({ idField }) => idField ?? [])]);
    const fits = (payload: Payload) =>
      caches.every(({ columns }) =>
        columns.every((column) => {
          const value = payload[fieldFilling(column)];
          return value === undefined || value === null || unfitReason(column, value) === undefined;
        }),
      );
    for (const ids of IDS) {
      const events = [...definitions.values()].map((definition): ForeignEvent => {
        const drawn = payloads[`${entity}.${definition.action}`] ?? [];
        const valid = drawn.filter(
          (payload) => fits(payload) && ids.every((id) => isValid(definition, withId(payload, idFields, id))),
        );
        return { definition, payloads: valid };
      });
      if (events.some((event) => event.payloads.length === 0)) continue;
      const [service = ""] = entity.split(".");
      const envelope = heard[0]?.stream.envelope ?? "mesh";
      return [{ service, entity, envelope, ids, idFields, events }];
    }
    return [];
  });
}

/** The payload of the entity with this id. */
export function withId(payload: Payload, idFields: ReadonlySet<string>, id: string): Payload {
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => {
      if (!idFields.has(name)) return [name, value];
      return [name, typeof value === "number" ? Number(id) : id];
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
