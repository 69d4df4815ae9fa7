/* What all peers share: the writer, the end, and the count of what came of it. */

export const { COUNT, BATCH } = process.env;
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

/** Writes all users, a transaction for each batch; `enqueue` adds to the transaction what makes the copy. */
export async function writeUsers(client, enqueue) {
  for (let from = 0; from < count; from += batch) {
    const users = Array.from({ length: Math.min(batch, count - from) }, (_, at) => ({
      user_id: `user-${String(from + at).padStart(16, "0")}`,
      username: `name-${from + at}`,
      display_name: `Display Name ${from + at}`,
    }));
    await client.query("BEGIN");
    await client.query(
      "INSERT INTO users (user_id, username, display_name) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
      columnsOf(users),
    );
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
  return rate;
}

export function print(rate) {
  process.stdout.write(`${JSON.stringify({ rate })}\n`, () => process.exit());
}
