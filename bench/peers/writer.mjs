import { measureLatency } from "./latency.mjs";

/* What all peers share: the writer, the end, and the count of what came of it. */

export const { COUNT, BATCH } = process.env;
const { OWNER_URL, COPY_URL, RATE, WARM_UP } = process.env;
/** What is asked for is the latency of single rows, not the rate of batches. */
export const asksLatency = RATE !== undefined;
export const count = Number(COUNT);
export const batch = Number(BATCH);

export const UPSERT = `INSERT INTO user_cache (user_id, username, display_name)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, display_name = excluded.display_name,
  synced_at = CURRENT_TIMESTAMP`;

export const columnsOf = (users) => [
  users.map((user) => user.user_id),
  users.map((user) => user.username),
  users.map((user) => user.display_name),
];

const INSERT =
  "INSERT INTO users (user_id, username, display_name) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])";

/** How long users take to the copy, each in a transaction of its own; `enqueue` as for `writeUsers`. */
export async function latencyOf(enqueue) {
  const write = async (client, user) => {
    await client.query("BEGIN");
    await client.query({ name: "insert", text: INSERT, values: columnsOf([user]) });
    await enqueue(client, [user]);
    await client.query("COMMIT");
  };
  const pace = { rate: Number(RATE), count, warmUp: Number(WARM_UP) };
  return await measureLatency({ ...pace, ownerUrl: OWNER_URL, copyUrl: COPY_URL, write });
}

/** Writes all users, a transaction for each batch; `enqueue` adds to the transaction what makes the copy. */
export async function writeUsers(client, enqueue) {
  for (let from = 0; from < count; from += batch) {
    const users = Array.from({ length: Math.min(batch, count - from) }, (_, at) => ({
      user_id: `user-${String(from + at).padStart(16, "0")}`,
      username: `name-${from + at}`,
      display_name: `Display Name ${from + at}`,
    }));
    await client.query("BEGIN");
    await client.query(INSERT, columnsOf(users));
    await enqueue(client, users);
    await client.query("COMMIT");
  }
}

/** Resolves to the rate from `started` on, once `done()` says that all is applied. */
export async function rateWhen(done, { started, pool }) {
  while (done() < count) await new Promise((wake) => setTimeout(wake, 2));
  const rate = (count * 1_000) / (performance.now() - started);
  const { rows } = await pool.query("SELECT count(*)::integer AS users FROM user_cache");
  if (rows[0].users !== count) throw new Error(`${rows[0].users} users in the copy, not ${count}`);
  return { rate };
}

export function print(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
}
