import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect, test } from "vitest";
import { afterTest } from "../support/after-test.js";
import { compile, testProject } from "../support/generated-project.js";
import { hasProc, mesh, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

/*
 * A service that is told to end while a hook hangs, and heeds no signal: it waits 25 s, gives up with exit code 1, and has written and
 * acknowledged nothing of that event, which the next process handles.
 */

const MESH = `
mesh: hanging
delivery: { ack_wait: 2s }
services:
  depot: { database: depot_db, publishes: [depot.parcel.*] }
  keeper: { database: keeper_db, subscribes: [depot.parcel.*] }
  courier: { subscribes: [depot.parcel.*] }
databases:
  depot_db: { tables: { parcels: { columns: { parcel_id: { type: nanoid, key: true }, door: text } } } }
  keeper_db:
    tables:
      parcel_cache: { cache: depot.parcel, columns: { parcel_id: { type: text, key: true }, door: text } }
      marks: { columns: { mark_id: { type: text, key: true } } }
subjects:
  depot.parcel.{id}.created: { event: ParcelCreated, emit: { table: parcels, on: insert }, payload: { parcel_id: string, door: string } }
  depot.parcel.{id}.updated: { event: ParcelUpdated, emit: { table: parcels, on: update }, payload: { parcel_id: string, door: string } }
  depot.parcel.{id}.deleted: { event: ParcelDeleted, emit: { table: parcels, on: delete }, payload: { parcel_id: string } }
`;

/** What hooks did is in a file: it outlives their process. They hang while another file is there. */
const hook = (service: string, log: string, hang: string, extra: { type: string; work: string }) => `
import { appendFileSync, existsSync } from "node:fs";
import type { ${extra.type} } from "../generated/${service}/service.js";
const tell = (line: string) => appendFileSync(${JSON.stringify(log)}, \`${service} \${line}\\n\`);
export const ${service}Hooks: ${extra.type} = {
  async onParcelCreated({ event${extra.work === "" ? "" : ", tx"} }) {
    ${extra.work}
    tell(\`begins \${event.parcel_id}\`);
    while (event.parcel_id === "stuck" && existsSync(${JSON.stringify(hang)})) await new Promise((wake) => setTimeout(wake, 50));
    tell(\`ends \${event.parcel_id}\`);
  },
};
`;

test.skipIf(!hasProc)(
  "SIGTERM while a hook hangs: exit code 1 after 25 s, nothing half written, and the event comes again",
  { timeout: 240_000 },
  async () => {
    const folder = testProject();
    const [log, hang] = [join(folder, "heard.log"), join(folder, "hang")];
    for (const file of [log, hang]) appendFileSync(file, "");
    writeFileSync(join(folder, "mesh.yaml"), MESH);
    const generated = await mesh(folder, "generate");
    expect(generated.code, generated.stderr).toBe(0);
    mkdirSync(join(folder, "hooks"));
    const work = 'await tx.query("INSERT INTO marks VALUES ($1)", [event.parcel_id]);';
    writeFileSync(join(folder, "hooks/keeper.ts"), hook("keeper", log, hang, { type: "KeeperHooks", work }));
    writeFileSync(
      join(folder, "hooks/courier.ts"),
      hook("courier", log, hang, { type: "CourierHooks", work: "" }),
    );
    expect(compile(folder, ["generated", "hooks"])).toBe("");
    const dev = await startDev(folder, join(folder, ".mesh"));
    afterTest(() => dev.end());
    const open = async (database: string) => {
      const client = new pg.Client({ connectionString: dev.endpoints.databases[database] ?? "" });
      await client.connect();
      afterTest(() => client.end());
      return client;
    };
    const [depot, keeper] = [await open("depot_db"), await open("keeper_db")];
    const heard = () => readFileSync(log, "utf8").split("\n");
    const times = (line: string) => heard().filter((each) => each === line).length;
    const written = async () =>
      (
        await keeper.query(
          "SELECT (SELECT count(*)::int FROM marks) AS marks, (SELECT count(*)::int FROM parcel_cache) AS cached",
        )
      ).rows[0];

    await depot.query("INSERT INTO parcels VALUES ('stuck', '1')");
    for (const service of ["keeper", "courier"]) {
      await waitFor(() => times(`${service} begins stuck`) > 0, {
        what: `the hook of ${service}`,
        timeoutMs: 30_000,
      });
    }
    const told = Date.now();
    for (const service of ["keeper", "courier"]) process.kill(dev.servicePid(service), "SIGTERM");
    const gaveUp = (service: string) =>
      new RegExp(`${service}.*ended by itself \\(exit code 1\\)`).test(dev.output());
    await waitFor(() => gaveUp("keeper") && gaveUp("courier"), {
      timeoutMs: 60_000,
      what: `both to give up in: ${dev.output().slice(-2_000)}`,
    });
    expect(Date.now() - told).toBeGreaterThan(24_000);
    expect(dev.output()).toContain("stopping took too long");
    // The next processes hang in it as well.
    await waitFor(() => times("keeper begins stuck") > 1 && times("courier begins stuck") > 1, {
      timeoutMs: 60_000,
      what: "the event to come again",
    });
    expect(await written()).toEqual({ marks: 0, cached: 0 });
    expect(heard().filter((line) => line.includes("ends"))).toEqual([]);

    rmSync(hang);
    await depot.query("INSERT INTO parcels VALUES ('late', '2')");
    await waitFor(
      () =>
        ["keeper", "courier"].every((service) =>
          ["stuck", "late"].every((id) => times(`${service} ends ${id}`) > 0),
        ),
      {
        timeoutMs: 60_000,
        what: "both events in both services",
      },
    );
    await waitFor(async () => (await written()).marks === 2, { what: "the copy" });
    expect(await written()).toEqual({ marks: 2, cached: 2 });
    expect(times("keeper ends stuck")).toBe(1);
    expect((await mesh(folder, "dlq", "list")).stdout).toContain("no dead letters");
  },
);
