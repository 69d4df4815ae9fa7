import pg from "pg";
import { CONSUMER_TABLES, fresh, runRuntime } from "./consumer.js";
import { createDatabase, dropAll } from "./database.js";
import { withFilledStream } from "./filled-stream.js";
import { installPeer, type Peer } from "./peers/install.js";
import { type Row, row } from "./row.js";
import type { Bench, Section, Servers } from "./section.js";
import { startRuntime, timeWay } from "./whole-way.js";

const USERS =
  "CREATE TABLE users (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL DEFAULT '')";

export const peers: Section = {
  name: "peers",
  about: `Other ways from a row in one database to its copy in another, in the same run: users are written in transactions of 500, and
the clock stops when the last one is in the copy. Writer and worker are one process each time. pg-boss and graphile-worker have no broker: the owner's database holds the
jobs, and each job is done once by one worker, so that a second subscriber needs a second job. Neither keeps the order of events of one user, nor versions, nor a
snapshot. One job for each row is what compares with an event for each row; a job for each transaction is what nobody else can read in part.
nestjs-jetstream (@horizon-republic, the transport of that name that is on npm) acks an event before its handler has run, so that a crash loses it; its
handler does one upsert for each.`,
  forms: ["full"],
  measure: async (bench) => [...(await wholeWay(bench)), ...(await consumers(bench))],
};

const CONTESTANTS = [
  { name: "pg-boss", program: "pg-boss.mjs", jobs: "rows", what: "pg-boss, applied per batch" },
  {
    name: "graphile-worker",
    program: "graphile-worker.mjs",
    jobs: "rows",
    what: "graphile-worker, one job per row",
  },
  {
    name: "graphile-worker",
    program: "graphile-worker.mjs",
    jobs: "arrays",
    what: "graphile-worker, one job per 500 rows",
  },
] as const;

export const PACKAGES = {
  "pg-boss": { "pg-boss": "12.38.0", pg: "8.23.1" },
  "graphile-worker": { "graphile-worker": "0.18.0", pg: "8.23.1" },
} as const;

async function wholeWay({ by, rounds, servers }: Bench): Promise<readonly Row[]> {
  const urls = await servers();
  const count = by({ smoke: 1_000, short: 5_000, full: 40_000 });
  const there: {
    readonly contestant: (typeof CONTESTANTS)[number];
    readonly peer: Peer;
    readonly rates: number[];
  }[] = [];
  for (const contestant of CONTESTANTS) {
    const peer = await installPeer(contestant.name, PACKAGES[contestant.name]);
    if (peer !== undefined) there.push({ contestant, peer, rates: [] });
  }
  const ours: number[] = [];
  // The first round warms caches of plans and pages.
  for (let round = 0; round <= rounds; round += 1) {
    const rate = await timeWay(urls, { count, batch: 500, writers: 1 }, startRuntime);
    if (round > 0) ours.push(rate);
    for (const { contestant, peer, rates } of there) {
      const theirs = await runPeer(urls, count, (env) =>
        peer.run<{ rate: number }>(contestant.program, { ...env, JOBS: contestant.jobs }),
      );
      if (round > 0) rates.push(theirs);
    }
  }
  return there.map(({ contestant, rates }) =>
    row({
      what: `insert to copy, to ${contestant.what}`,
      unit: "/s",
      samples: ours,
      yardstick: { what: contestant.name, samples: rates },
      goal: { of: "ratio", atLeast: 1 },
    }),
  );
}

type Run = (env: Readonly<Record<string, string>>) => Promise<{ readonly rate: number }>;

async function runPeer(servers: Servers, count: number, run: Run): Promise<number> {
  return await betweenDatabases(servers, async (owner, copy) => {
    const env = { OWNER_URL: owner, COPY_URL: copy, COUNT: String(count), BATCH: "500" };
    return (await run(env)).rate;
  });
}

/** The URLs of two databases, with the users and with their empty copy, for as long as `use` takes. */
export async function betweenDatabases<T>(
  servers: Servers,
  use: (owner: string, copy: string) => Promise<T>,
): Promise<T> {
  const [owner, copy] = [
    await createDatabase(servers, "peer_owner"),
    await createDatabase(servers, "peer_copy"),
  ];
  await execute(owner, USERS);
  await execute(copy, CONSUMER_TABLES);
  const result = await use(owner, copy);
  await dropAll(servers, "peer_owner");
  await dropAll(servers, "peer_copy");
  return result;
}

async function consumers(bench: Bench): Promise<readonly Row[]> {
  const nest = await installPeer("nestjs-jetstream", {
    "@horizon-republic/nestjs-jetstream": "1.0.6",
    "@nestjs/common": "11.1.6",
    "@nestjs/core": "11.1.6",
    "@nestjs/microservices": "11.1.6",
    "@nestjs/platform-express": "11.1.6",
    nats: "2.29.3",
    pg: "8.23.1",
    "reflect-metadata": "0.2.2",
    rxjs: "7.8.2",
    uuid: "11.1.0",
  });
  if (nest === undefined) return [];
  const servers = await bench.servers();
  const events = bench.by({ smoke: 300, short: 10_000, full: 30_000 });
  const count = Math.min(events, 5_000);
  const [ours, theirs]: [number[], number[]] = [[], []];
  await withFilledStream(servers, events, async (stream) => {
    for (let round = 0; round < bench.rounds; round += 1) {
      ours.push(await fresh(stream, `ours_${round}`, runRuntime));
      const rate = await runPeer(servers, count, (env) =>
        nest.run<{ rate: number }>("nestjs-jetstream.mjs", {
          ...env,
          NATS_URL: servers.natsUrl,
          NAME: `nest${round}`,
        }),
      );
      theirs.push(rate);
    }
  });
  return [
    row({
      what: "events applied by one replica, to nestjs-jetstream",
      unit: "/s",
      samples: ours,
      yardstick: { what: "nestjs-jetstream", samples: theirs },
      goal: { of: "ratio", atLeast: 1 },
    }),
  ];
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}
