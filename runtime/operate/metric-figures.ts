import { IS_WAITING, MOST_COUNTED } from "../outbox/outbox-statements.js";
import type { ObservedFigures } from "../telemetry/metric-table.js";
import { MOMENT_LATENESS, MOST_LETTERS, OUTBOX_LETTERS, type Queryable } from "./figures.js";

/** All that `/metrics` asks of the database, in one statement; counts are bounded. */
const READ = `SELECT
  (SELECT count(*) FROM (SELECT FROM mesh.outbox WHERE ${IS_WAITING} LIMIT ${MOST_COUNTED}) AS counted)::integer AS outbox,
  (SELECT greatest(0, extract(epoch FROM clock_timestamp() - created_at)) FROM mesh.outbox WHERE ${IS_WAITING} ORDER BY seq LIMIT 1)::double precision AS "outboxOldestSeconds",
  (SELECT coalesce(pg_catalog.json_object_agg(durable, letters), '{}') FROM (
    SELECT durable, (SELECT count(*) FROM (SELECT FROM mesh.dead_letter AS letter
      WHERE letter.durable = known.durable AND settled_as IS NULL LIMIT ${MOST_LETTERS}) AS counted) AS letters
    FROM pg_catalog.unnest($1::text[]) AS known (durable)) AS counted) AS letters,
  (SELECT count(*) FROM mesh.cascade_task)::integer AS "cascadesWaiting",
  (SELECT count(*) FROM mesh.cascade_task WHERE attempts > 1)::integer AS "cascadesFailing",
  (SELECT count(*) FROM (SELECT FROM mesh.moment LIMIT ${MOST_COUNTED}) AS counted)::integer AS "momentsWaiting",
  ${MOMENT_LATENESS} AS "momentsLateSeconds"`;

export async function readMetricFigures(
  database: Queryable,
  durables: readonly string[],
): Promise<ObservedFigures | undefined> {
  const { rows } = await database.query<ObservedFigures>(READ, [[...durables, OUTBOX_LETTERS]]);
  return rows[0];
}
