import { messageSchema } from "../emit/json-schema/event.js";
import type { Lookup } from "../emit/lookup.js";
import type { Event, JsonValue } from "../model/mesh.js";

type Document = { readonly [key: string]: JsonValue };

/** `urn:meshwright:edd-cloud:UserCreated`: the same wherever the schema lies. */
function idOf(event: Event, mesh: string): string {
  return `urn:meshwright:${encodeURIComponent(mesh)}:${event.name}`;
}

/** The JSON Schema of one message, on its own. */
export function eventSchema(event: Event, { mesh, service }: Lookup): Document {
  return {
    ...messageSchema(event, service(event.service).envelope, mesh.types),
    $id: idOf(event, mesh.name),
  };
}

/** Those of several in one document, to be loaded at once: each is found by its `$id`. */
export function schemaBundle(events: readonly Event[], lookup: Lookup): Document {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: `urn:meshwright:${encodeURIComponent(lookup.mesh.name)}`,
    $defs: Object.fromEntries(events.map((event) => [event.name, eventSchema(event, lookup)])),
  };
}
