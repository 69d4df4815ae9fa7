import pg from "pg";
import { betweenEnds } from "./ends.js";
import { installPeer } from "./peers/install.js";
import { measureLatency, type Pace, type Percentiles, type User } from "./peers/latency.mjs";
import { betweenDatabases, PACKAGES } from "./peers.js";
import { type Row, row } from "./row.js";
import type { Bench, Section, Servers } from "./section.js";
import { startRuntime } from "./whole-way.js";

/* How long a row takes from its commit in one database to its copy in another, at a steady rate. */

export const latency: Section = {
  name: "latency",
  about: `From the commit of a row in one database to its visible copy in another, while rows come at a steady rate, a transaction each, whether the
ones before are through or not. The clock starts with the answer to the writer's COMMIT and stops with a notification that the copy's database sends after its own.
By hand means a table of events, filled by a trigger that notifies; a listener that takes what is there, applies it with one upsert and deletes it, and looks again: no
broker, one subscriber, no versions. Writer, worker and observer are one process each time.`,
  measure: async (bench) => {
    const rows: Row[] = [];
    for (const rate of bench.by({ smoke: [200], short: [200, 1_000], full: [20, 200, 1_000] }))
      rows.push(...(await measureRate(bench, rate)));
    return rows;
  },
};

/** p50 and p99 in ms. */
const GOALS: Readonly<Record<number, { readonly p50: number; readonly p99: number }>> = {
  200: { p50: 1.3, p99: 4 },
  1000: { p50: 3, p99: 15 },
};

interface Contestant {
  readonly name: string;
  readonly run: (servers: Servers, pace: Pace) => Promise<Percentiles>;
}

async function measureRate(bench: Bench, rate: number): Promise<readonly Row[]> {
  const servers = await bench.servers();
  const seconds = bench.by({ smoke: 0.2, short: 1.5, full: 5 });
  const pace = { rate, count: rate * seconds, warmUp: bench.by({ smoke: 10, short: 100, full: rate }) };
  const others = [BY_HAND, ...(bench.form === "full" ? await peerContestants() : [])];
  const ours: Percentiles[] = [];
  const theirs = others.map((): Percentiles[] => []);
  for (let round = 0; round < bench.roundsOfMany; round += 1) {
    ours.push(await runOurs(servers, pace));
    for (const [at, { run }] of others.entries()) theirs[at]?.push(await run(servers, pace));
  }
  return (["p50", "p99"] as const).flatMap((share) => {
    const samples = ours.map((one) => one[share]);
    const goal = GOALS[rate]?.[share];
    return others.map(({ name }, at) =>
      row({
        what: `${rate.toLocaleString("en-US")}/s, ${share}${at === 0 ? "" : `, to ${name}`}`,
        unit: "ms",
        samples,
        yardstick: { what: name, samples: (theirs[at] ?? []).map((one) => one[share]) },
        ...(at === 0
          ? goal !== undefined && { goal: { of: "value", atMost: goal } }
          : { goal: { of: "ratio", atMost: 1 } }),
      }),
    );
  });
}

async function runOurs(servers: Servers, pace: Pace): Promise<Percentiles> {
  return await betweenEnds(servers, async (ends) => {
    const { ownerUrl, copyUrl } = ends;
    const { stop } = await startRuntime(ends);
    const result = await measureLatency({ ...pace, ownerUrl, copyUrl, write: insertUser });
    await stop();
    return result;
  });
}

const insertUser = (client: pg.ClientBase, user: User) =>
  client.query({
    name: "insert",
    text: "INSERT INTO users (user_id, username, display_name) VALUES ($1, $2, $3)",
    values: [user.user_id, user.username, user.display_name],
  });

const OUTBOX = `CREATE TABLE outbox (id BIGSERIAL PRIMARY KEY, payload JSONB NOT NULL);
CREATE FUNCTION fill_outbox() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO outbox (payload) SELECT to_jsonb(added) FROM new_rows AS added; NOTIFY outbox; RETURN NULL; END $$;
CREATE TRIGGER fill_outbox AFTER INSERT ON users REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION fill_outbox()`;

const UPSERT = `INSERT INTO user_cache (user_id, username, display_name)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, display_name = excluded.display_name,
  synced_at = CURRENT_TIMESTAMP`;

const BY_HAND: Contestant = {
  name: "by hand",
  run: (servers, pace) =>
    betweenDatabases(servers, async (ownerUrl, copyUrl) => {
      const stop = await workByHand(ownerUrl, copyUrl);
      const result = await measureLatency({ ...pace, ownerUrl, copyUrl, write: insertUser });
      await stop();
      return result;
    }),
};

/** Applies, then deletes: a crash in between applies again, which changes nothing. */
async function workByHand(ownerUrl: string, copyUrl: string): Promise<() => Promise<void>> {
  const owner = new pg.Client({ connectionString: ownerUrl });
  const copy = new pg.Client({ connectionString: copyUrl });
  await Promise.all([owner.connect(), copy.connect()]);
  await owner.query(`${OUTBOX}; LISTEN outbox`);
  let working: Promise<void> | undefined;
  let again = false;
  const work = async () => {
    do {
      again = false;
      const { rows } = await owner.query<{ id: string; payload: Record<string, string> }>({
        name: "read",
        text: "SELECT id, payload FROM outbox ORDER BY id LIMIT 500",
      });
      if (rows.length === 0) break;
      await copy.query({
        name: "apply",
        text: UPSERT,
        values: ["user_id", "username", "display_name"].map((name) =>
          rows.map(({ payload }) => payload[name]),
        ),
      });
      await owner.query({
        name: "delete",
        text: "DELETE FROM outbox WHERE id = ANY ($1::bigint[])",
        values: [rows.map(({ id }) => id)],
      });
      again ||= rows.length === 500;
    } while (again);
    working = undefined;
  };
  owner.on("notification", () => {
    again = true;
    working ??= work();
  });
  return async () => {
    await working;
    await Promise.all([owner.end(), copy.end()]);
  };
}

/** Those that can be installed. */
async function peerContestants(): Promise<readonly Contestant[]> {
  const contestants: Contestant[] = [];
  for (const name of ["pg-boss", "graphile-worker"] as const) {
    const peer = await installPeer(name, PACKAGES[name]);
    if (peer === undefined) continue;
    const run = (servers: Servers, { rate, count, warmUp }: Pace) =>
      betweenDatabases(servers, (owner, copy) =>
        peer.run<Percentiles>(`${name}.mjs`, {
          ...{ OWNER_URL: owner, COPY_URL: copy, BATCH: "500", JOBS: "rows" },
          ...{ RATE: String(rate), COUNT: String(count), WARM_UP: String(warmUp) },
        }),
      );
    contestants.push({ name, run });
  }
  return contestants;
}
