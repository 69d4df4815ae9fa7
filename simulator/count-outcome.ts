import type { CoverageCounter } from "./coverage.js";
import type { Outcome } from "./world.js";

/** Counts what one schedule left in databases and streams. */
export async function countOutcome(counter: CoverageCounter, { world }: Outcome): Promise<void> {
  for (const { definition, database } of world.mesh.services) {
    const applied = await database.query<{ entity: string; action: string; times: number }>(
      'SELECT entity, action, count(*)::integer AS times FROM mesh__sim."$effect" WHERE durable = ANY ($1) GROUP BY 1, 2',
      [definition.consumers.map(({ durable }) => durable)],
    );
    for (const { entity, action, times } of applied)
      counter.count("event applied", `${entity}.${action} in ${definition.name}`, times);
    const cascaded = await database.query<{ table: string; column: string; times: number }>(
      'SELECT "table", "column", count(*)::integer AS times FROM mesh__sim."$cascaded" WHERE "table" = ANY ($1) GROUP BY 1, 2',
      [definition.tables.map(({ name }) => name)],
    );
    for (const { table, column, times } of cascaded)
      counter.count("cascade", `${definition.name} ${table}.${column}`, times);
    const filled = await database.query<{ durable: string }>(
      "SELECT durable FROM mesh.subscription WHERE snapshot_at IS NOT NULL",
    );
    for (const { durable } of filled) {
      const cache = definition.consumers.find((consumer) => consumer.durable === durable)?.cache;
      if (cache !== undefined) counter.count("copy filled", `${definition.name} ${cache.name}`);
    }
    if (definition.stream === undefined) continue;
    for (const { subject } of world.server.log(definition.stream.name)) {
      const [service, entity, , action] = subject.split(".");
      counter.count("event published", `${service}.${entity}.${action}`);
    }
  }
}
