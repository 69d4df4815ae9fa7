import { createHash } from "node:crypto";
import type { ServiceDefinition } from "../definition/service-definition.js";

/**
 * A mark of the release in application_name: in pg_stat_activity it tells sessions of releases apart that write different columns or
 * rows of their caches, for one may leave out what the other writes. Replicas of one release have the same mark.
 */
export function releaseMark({ consumers }: ServiceDefinition): string {
  const written = consumers.map(({ cache }) => [
    cache?.where,
    cache?.columns.flatMap(({ name, type, local }) => (local === true ? [] : [[name, type]])),
  ]);
  return createHash("sha256").update(JSON.stringify(written)).digest("hex").slice(0, 8);
}
