import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import pg from "pg";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { afterTest } from "../support/after-test.js";
import { readMesh } from "../support/compile.js";
import { compile, generate, testProject } from "../support/generated-project.js";
import { mesh, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

/*
 * A service without a database, under the permissions that `mesh dev` gives it: hooks alone, at least once, its dead letters in a
 * stream of its own.
 */

/** What hooks did is in a file: it outlives their process. */
const hooks = (log: string, refused: string) => `import { appendFileSync } from "node:fs";
import type { CourierHooks } from "../generated/courier/service.js";

const tell = (line: string) => appendFileSync(${JSON.stringify(log)}, \`\${line}\\n\`);

export const courierHooks: CourierHooks = {
  async onParcelTaken({ event, attempt }) {
    tell(\`taken \${event.parcel_id} #\${attempt}\`);
    if (event.parcel_id === "fatal") process.kill(process.pid, "SIGKILL");
    if (event.parcel_id === "slow") {
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      tell("slow ended");
    }
  },
  async onEvent({ subject }) {
    tell(subject);
  },
  sms: {
    async onParcelPacked({ event, attempt }) {
      if (event.parcel_id === ${JSON.stringify(refused)}) throw new Error("no such number");
      tell(\`sms \${event.parcel_id} #\${attempt}\`);
    },
  },
};
`;

test("hooks hear everything under least privilege; failing and fatal messages end as dead letters that mesh dlq redrives", {
  timeout: 170_000,
}, async () => {
  const folder = testProject();
  const log = join(folder, "heard.log");
  const document = parse(readMesh("test/scenarios/emit/without-database/mesh.yaml"));
  document.delivery = { attempts: 2, backoff: ["200ms"], ack_wait: "2s" };
  document.services.courier.subscribes[1].delivery = { attempts: 2 };
  await generate(folder, document);
  mkdirSync(join(folder, "hooks"));
  writeFileSync(join(folder, "hooks/courier.ts"), hooks(log, "refused"));
  expect(compile(folder, ["generated", "hooks"])).toBe("");
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const depot = new pg.Client({ connectionString: dev.endpoints.databases.depot_db ?? "" });
  await depot.connect();
  afterTest(() => depot.end());
  const nats = await connect({ servers: dev.endpoints.nats, ...dev.endpoints.nats_operator });
  afterTest(() => nats.close());
  const manager = await nats.jetstreamManager();
  const heard = () => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []);
  const drained = (durable: string) =>
    waitFor(
      async () => {
        const { num_pending, num_ack_pending } = await manager.consumers.info("DEPOT", durable);
        return num_pending === 0 && num_ack_pending === 0;
      },
      { timeoutMs: 60_000, what: `${durable} to be drained` },
    );

  await depot.query(
    "INSERT INTO parcels (parcel_id, door) VALUES ('fine', '1'), ('refused', '2'), ('fatal', '3')",
  );
  await depot.query("UPDATE parcels SET state = 'packed'");
  await nats.jetstream().publish("depot.parcel.odd.taken", "no JSON");
  await waitFor(() => heard().filter((line) => line.startsWith("taken fatal")).length >= 1, {
    what: "the fatal one",
  });
  // That of the fatal one lasts: all is published by then, and the other has something to be drained of.
  await drained("courier_depot_parcel");
  await drained("courier_depot_parcel_packed_sms");

  const lines = heard();
  for (const line of ["sms fine #1", "taken fine #1", "depot.parcel.fine.taken", "depot.parcel.fatal.packed"])
    expect(lines).toContain(line);
  // Its first death left no record but the redelivery; each attempt after that is on record.
  expect(lines.filter((line) => line.startsWith("taken fatal"))).toEqual([
    "taken fatal #1",
    "taken fatal #1",
    "taken fatal #2",
  ]);
  expect(lines).not.toContain("depot.parcel.fatal.taken");

  const listed = await mesh(folder, "dlq", "list", "--json");
  const { deadLetters } = JSON.parse(listed.stdout) as {
    deadLetters: { service: string; id: number; subject: string; error: string; attempts: number }[];
  };
  expect(
    deadLetters.map(({ service, subject, attempts }) => `${service} ${subject} ${attempts}`).toSorted(),
  ).toEqual([
    "courier depot.parcel.fatal.taken 2",
    "courier depot.parcel.odd.taken 0",
    "courier depot.parcel.refused.packed 2",
  ]);
  const status = await mesh(folder, "status", "--json");
  expect(status.stdout + status.stderr).toContain(
    "2 dead letters of courier_depot_parcel (mesh dlq list courier)",
  );
  const trace = async (id: string) =>
    JSON.parse((await mesh(folder, "trace", "depot.parcel", id, "--json")).stdout);
  expect(await trace("fine")).toMatchObject({
    problems: [],
    subscribers: [{ standing: { kind: "applied" } }, { standing: { kind: "applied" } }],
  });
  expect((await trace("refused")).problems).toEqual([
    {
      problem: expect.stringMatching(/^courier: it is a dead letter: /),
      remedy: expect.stringContaining("mesh dlq redrive courier"),
    },
  ]);
  const health = await fetch(`${dev.endpoints.services.courier?.http}/readyz`);
  const { status: ready, checks } = (await health.json()) as {
    status: string;
    checks: { database?: object; consumers: Record<string, object> };
  };
  expect([health.status, ready, checks.database]).toEqual([200, "ready", undefined]);
  expect(checks.consumers.courier_depot_parcel_packed_sms).toMatchObject({
    connected: true,
    dead_letters: 1,
  });
  const sessions = await depot.query("SELECT DISTINCT application_name AS name FROM pg_stat_activity");
  expect(sessions.rows.filter(({ name }) => String(name).includes("courier"))).toEqual([]);

  writeFileSync(join(folder, "hooks/courier.ts"), hooks(log, "nobody"));
  const id = (subject: string) => String(deadLetters.find((letter) => letter.subject === subject)?.id);
  const shown = await mesh(folder, "dlq", "show", "courier", id("depot.parcel.odd.taken"));
  expect(shown.stdout).toContain("no JSON");
  const redriven = await mesh(folder, "dlq", "redrive", "courier", id("depot.parcel.refused.packed"));
  expect(redriven.code, redriven.stdout + redriven.stderr).toBe(0);
  expect(heard()).toContain("sms refused #3");
  const rest = ["depot.parcel.odd.taken", "depot.parcel.fatal.taken"].map(id);
  const discarded = await mesh(folder, "dlq", "discard", "courier", ...rest);
  expect(discarded.code, discarded.stdout + discarded.stderr).toBe(0);
  expect((await mesh(folder, "dlq", "list")).stdout).toContain("no dead letters");

  // Nothing remembers what was handled: a message that is delivered again is handled again.
  const stored = await manager.streams.getMessage("DEPOT", { last_by_subj: "depot.parcel.fine.packed" });
  await nats.jetstream().publish("depot.parcel.fine.packed", stored.data);
  await waitFor(() => heard().filter((line) => line === "sms fine #1").length === 2, { what: "it again" });

  // Told to end in the middle of a hook: it waits for that, and the next process handles the rest.
  const endings = () => heard().filter((line) => line === "slow ended").length;
  await depot.query("INSERT INTO parcels (parcel_id, door) VALUES ('slow', '4')");
  await waitFor(() => heard().includes("taken slow #1"), { what: "the slow hook" });
  process.kill(dev.servicePid("courier"), "SIGTERM");
  await depot.query("INSERT INTO parcels (parcel_id, door) VALUES ('late', '5')");
  await waitFor(() => endings() > 0 && heard().includes("taken late #1"), {
    what: "the end of the hook, and the next process",
    timeoutMs: 30_000,
  });
  await drained("courier_depot_parcel");
  expect(endings()).toBe(1);
  expect((await mesh(folder, "dlq", "list")).stdout).toContain("no dead letters");
});
