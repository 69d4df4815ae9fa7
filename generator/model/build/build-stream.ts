import { streamDefaults } from "@meshwright/runtime/defaults";
import { byName } from "../../collections/compare-names.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import { disjoint } from "../filters.js";
import type { Stream } from "../mesh.js";
import { streamName } from "../names.js";
import { filterOfEvent } from "./build-event.js";
import { buildPatterns } from "./build-pattern.js";
import type { EventIndex } from "./event-index.js";

export function buildStreams(program: Program, events: EventIndex): readonly Stream[] {
  return [...program.services.values()]
    .filter((service) => events.ofService(service.name).length > 0)
    .map((service) => buildStream(service, program))
    .sort(byName);
}

function buildStream(service: ServiceSymbol, program: Program): Stream {
  const shared = program.node.get.streams;
  const own = service.node?.get.stream?.get;
  const all = shared?.get;
  const maxAge = (own?.max_age ?? all?.max_age)?.value ?? streamDefaults.maxAgeSeconds;
  const window = (own?.duplicate_window ?? all?.duplicate_window)?.value;
  return {
    name: streamName(service),
    service: service.name,
    subjects: subjectsOf(service, program),
    envelope: service.envelope === "mesh" ? undefined : service.envelope,
    replicas: (own?.replicas ?? all?.replicas)?.value,
    maxAgeSeconds: maxAge,
    maxMessages: (own?.max_messages ?? all?.max_messages)?.value ?? streamDefaults.maxMessages,
    maxBytes: (own?.max_bytes ?? all?.max_bytes)?.value ?? streamDefaults.maxBytes,
    // The broker takes none that is longer than the messages are kept; an age of 0 keeps them for ever.
    duplicateWindowSeconds:
      window ?? Math.min(streamDefaults.duplicateWindowSeconds, maxAge || Number.POSITIVE_INFINITY),
    tombstoneSeconds: tombstonesOf(service, { maxAge, said: (own?.tombstones ?? all?.tombstones)?.value }),
    external: service.external,
    described: service.external && isDescribed(own) ? true : undefined,
  };
}

/** Its limits are said, not its name alone. */
function isDescribed(stream: Readonly<Record<string, unknown>> | undefined): boolean {
  return Object.entries(stream ?? {}).some(([key, value]) => key !== "name" && value !== undefined);
}

/** What it publishes; of an external service that has subjects of its own form, those. */
function subjectsOf(service: ServiceSymbol, program: Program): readonly string[] {
  const events = program.eventsOf(service.name);
  if (events.every(({ node }) => node?.get.subject === undefined))
    return buildPatterns(service.publishes).map((pattern) => pattern.filter);
  const documented = events.filter(({ node }) => node?.get.subject === undefined);
  const patterns = buildPatterns(service.publishes).filter(({ entity }) =>
    documented.some(({ subject }) => entity === undefined || entity === subject.value.entity),
  );
  const templates = events.filter(({ node }) => node?.get.subject !== undefined).map(filterOfEvent);
  return disjoint([...patterns.map(({ filter }) => filter), ...templates]);
}

/** Not said, it is no shorter than messages are kept; of an external owner, whose stream may keep them longer, for ever. */
function tombstonesOf(
  { external }: ServiceSymbol,
  { maxAge, said }: { readonly maxAge: number; readonly said: number | undefined },
): number | undefined {
  if (said !== undefined) return said === 0 ? undefined : said;
  return external || maxAge === 0 ? undefined : Math.max(streamDefaults.tombstoneSeconds, maxAge);
}
