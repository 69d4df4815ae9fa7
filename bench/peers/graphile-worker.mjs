import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";
import { asksLatency, batch, columnsOf, latencyOf, print, rateWhen, UPSERT, writeUsers } from "./writer.mjs";

/*
 * graphile-worker as outbox and consumer, in the row's transaction: one job for each row (JOBS=rows), which is applied by itself, or one
 * job for each transaction (JOBS=arrays), which holds its rows and is applied by one statement.
 */

const { OWNER_URL, COPY_URL, JOBS } = process.env;
const owner = new pg.Pool({ connectionString: OWNER_URL, max: 12 });
const copy = new pg.Pool({ connectionString: COPY_URL, max: 12 });
await runMigrations({ pgPool: owner });
const client = await owner.connect();
await copy.query("SELECT 1");
let applied = 0;
const upsert = async (users) => {
  await copy.query({ name: "upsert", text: UPSERT, values: columnsOf(users) });
  applied += users.length;
};
await run({
  pgPool: owner,
  noHandleSignals: true,
  taskList: { users: (payload) => upsert(JOBS === "rows" ? [payload] : payload) },
  preset: {
    worker: {
      // By default it prints a line for each job, which would cost it time.
      logger: new Logger(() => () => undefined),
      concurrentJobs: JOBS === "rows" ? 24 : 4,
      localQueue: { size: JOBS === "rows" ? batch : 8 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
});

const enqueue = (client, users) => {
  const payloads = JOBS === "rows" ? users : [users];
  const specs = payloads.map((payload) => ({ identifier: "users", payload }));
  return client.query(
    `SELECT count(*) FROM graphile_worker.add_jobs((SELECT array_agg(spec)
     FROM json_populate_recordset(NULL::graphile_worker.job_spec, $1::json) AS spec))`,
    [JSON.stringify(specs)],
  );
};
if (asksLatency) print(await latencyOf(enqueue));
else {
  const started = performance.now();
  await writeUsers(client, enqueue);
  print(await rateWhen(() => applied, { started, pool: copy }));
}
