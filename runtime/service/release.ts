import { createHash } from "node:crypto";
import type { ServiceDefinition } from "../definition.js";

/**
 * Tells apart, in pg_stat_activity, the sessions of releases that write different columns of their copies: what one
 * writes the other may have left out. Replicas of one release have the same.
 */
export function releaseMark({ consumers }: ServiceDefinition): string {
  const columns = consumers.map(({ cache }) => cache?.columns.map(({ name, type }) => [name, type]));
  return createHash("sha256").update(JSON.stringify(columns)).digest("hex").slice(0, 8);
}
