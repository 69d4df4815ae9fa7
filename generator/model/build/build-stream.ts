import { streamDefaults } from "@meshwright/runtime/defaults";
import { byName } from "../../collections/compare-names.js";
import type { StreamNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import type { Stream } from "../mesh.js";
import { streamName } from "../names.js";
import { buildPatterns } from "./build-pattern.js";
import type { EventIndex } from "./event-index.js";

export function buildStreams(program: Program, events: EventIndex): readonly Stream[] {
  return [...program.services.values()]
    .filter((service) => events.ofService(service.name).length > 0)
    .map((service) => buildStream(service, program.node.get.streams))
    .sort(byName);
}

function buildStream(service: ServiceSymbol, shared: StreamNode | undefined): Stream {
  const own = service.node?.get.stream?.get;
  const all = shared?.get;
  const maxAge = (own?.max_age ?? all?.max_age)?.value ?? streamDefaults.maxAgeSeconds;
  const window = (own?.duplicate_window ?? all?.duplicate_window)?.value;
  return {
    name: streamName(service.name),
    service: service.name,
    subjects: buildPatterns(service.publishes).map((pattern) => pattern.filter),
    replicas: (own?.replicas ?? all?.replicas)?.value,
    maxAgeSeconds: maxAge,
    maxMessages: (own?.max_messages ?? all?.max_messages)?.value ?? streamDefaults.maxMessages,
    maxBytes: (own?.max_bytes ?? all?.max_bytes)?.value ?? streamDefaults.maxBytes,
    // The broker takes none that is longer than the messages are kept; an age of 0 keeps them for ever.
    duplicateWindowSeconds:
      window ?? Math.min(streamDefaults.duplicateWindowSeconds, maxAge || Number.POSITIVE_INFINITY),
    tombstoneSeconds: tombstonesOf(service, { maxAge, said: (own?.tombstones ?? all?.tombstones)?.value }),
    external: service.external,
    described: service.external && own !== undefined ? true : undefined,
  };
}

/** Not said, it is no shorter than messages are kept; of an external owner, whose stream may keep them longer, for ever. */
function tombstonesOf(
  { external }: ServiceSymbol,
  { maxAge, said }: { readonly maxAge: number; readonly said: number | undefined },
): number | undefined {
  if (said !== undefined) return said === 0 ? undefined : said;
  return external || maxAge === 0 ? undefined : Math.max(streamDefaults.tombstoneSeconds, maxAge);
}
