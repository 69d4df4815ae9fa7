import pg from "pg";
import { PgBoss } from "pg-boss";
import { asksLatency, batch, columnsOf, latencyOf, print, rateWhen, UPSERT, writeUsers } from "./writer.mjs";

/* pg-boss as outbox and consumer: one job for each row, in the row's transaction; jobs are fetched and applied in batches. */

const { OWNER_URL, COPY_URL } = process.env;
const boss = new PgBoss({ connectionString: OWNER_URL, schedule: false, useListenNotify: true });
boss.on("error", (error) => {
  process.stderr.write(`${error}\n`);
});
await boss.start();
await boss.createQueue("user", { notify: true });
const client = new pg.Client({ connectionString: OWNER_URL });
await client.connect();
const copy = new pg.Pool({ connectionString: COPY_URL, max: 4 });
await copy.query("SELECT 1");
let applied = 0;
const options = { batchSize: batch, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 };
await boss.work("user", options, async (jobs) => {
  await copy.query({ name: "upsert", text: UPSERT, values: columnsOf(jobs.map(({ data }) => data)) });
  applied += jobs.length;
});

const enqueue = (client, users) =>
  boss.insert(
    "user",
    users.map((data) => ({ data })),
    { db: { executeSql: (text, values) => client.query(text, values) } },
  );
if (asksLatency) print(await latencyOf(enqueue));
else {
  const started = performance.now();
  await writeUsers(client, enqueue);
  print(await rateWhen(() => applied, { started, pool: copy }));
}
