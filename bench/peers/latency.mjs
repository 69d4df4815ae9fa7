import pg from "pg";

/*
 * From the commit of a row in one database to its copy in another, with rows at a steady rate: when its turn has come a row is written,
 * whether the ones before are through or not. The copy itself says when a row is visible: by a notification, which PostgreSQL sends after the
 * commit. Where a worker, the writer and this observer are one process, they are for every contestant.
 */

/** Connections of the writer. */
const WRITERS = 8;

const OBSERVED = `CREATE FUNCTION observe() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_notify('seen', string_agg(user_id, ' ')) FROM new_rows HAVING count(*) > 0; RETURN NULL; END $$;
CREATE TRIGGER observe AFTER INSERT ON user_cache REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION observe()`;

/** p50 and p99 of the rows after the warm-up. Its types stand in latency.d.mts. */
export async function measureLatency({ ownerUrl, copyUrl, rate, count, warmUp, write }) {
  const owner = new pg.Pool({ connectionString: ownerUrl, max: WRITERS });
  const observer = new pg.Client({ connectionString: copyUrl });
  await observer.connect();
  await observer.query(OBSERVED);
  await observer.query("LISTEN seen");
  const committed = new Map();
  const seen = new Map();
  observer.on("notification", ({ payload }) => {
    const now = performance.now();
    for (const id of payload.split(" ")) seen.set(id, now);
  });
  const writeOne = async (at) => {
    const client = await owner.connect();
    try {
      await write(client, { user_id: `u${at}`, username: `name-${at}`, display_name: `Display Name ${at}` });
      committed.set(`u${at}`, performance.now());
    } finally {
      client.release();
    }
  };
  const started = performance.now();
  const writes = [];
  while (writes.length < warmUp + count) {
    const due = Math.min(warmUp + count, Math.floor(((performance.now() - started) * rate) / 1_000) + 1);
    while (writes.length < due) writes.push(writeOne(writes.length));
    await new Promise((wake) => setTimeout(wake, 1));
  }
  await Promise.all(writes);
  const until = performance.now() + 30_000;
  while (seen.size < warmUp + count && performance.now() < until)
    await new Promise((wake) => setTimeout(wake, 5));
  if (seen.size !== warmUp + count)
    throw new Error(`${seen.size} of ${warmUp + count} rows came to the copy`);
  await Promise.all([owner.end(), observer.end()]);
  const latencies = Array.from({ length: count }, (_, at) => {
    const id = `u${warmUp + at}`;
    // The answer to the writer's COMMIT may be read after the copy's notification.
    return Math.max(0, seen.get(id) - committed.get(id));
  }).sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(count - 1, Math.floor(share * count))];
  return { p50: at(0.5), p99: at(0.99) };
}
