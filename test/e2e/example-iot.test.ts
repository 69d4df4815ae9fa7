import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { connect } from "nats";
import { expect, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { makeExample } from "../support/example.js";
import { operatorUrl, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

test("examples/iot: bare JSON of a foreign platform moves valves, exactly, and a journal has every event", {
  timeout: 110_000,
}, async () => {
  const folder = await makeExample("iot");
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const irrigation = await openClient(dev.endpoints.databases.irrigation_db);
  const dashboard = await openClient(dev.endpoints.databases.dashboard_db);
  const reader = await connect({ servers: operatorUrl(dev.endpoints) });
  afterTest(() => reader.close());
  const heard = new Map<string, Record<string, unknown>>();
  reader.subscribe("irrigation.>", {
    callback: (_, message) => void heard.set(message.subject, message.json()),
  });
  await reader.flush();

  const {
    NATS_URL = "",
    NATS_USER = "",
    NATS_PASSWORD = "",
  } = parseEnv(readFileSync(join(folder, ".mesh/field.env"), "utf8"));
  const platform = await connect({ servers: NATS_URL, user: NATS_USER, pass: NATS_PASSWORD });
  afterTest(() => platform.close());
  const tell = (subject: string, body: object) =>
    platform.jetstream().publish(`farm.north.probe.p7.${subject}`, JSON.stringify(body));

  await irrigation.query("INSERT INTO valves (valve_id, probe_id) VALUES ('v1', 'p7')");
  const valve = (row: object) =>
    waitFor(
      async () =>
        JSON.stringify((await dashboard.query("SELECT probe_id, moisture, state FROM valve_cache")).rows) ===
        JSON.stringify([row]),
      { timeoutMs: 30_000, what: `the copy of the valve to be ${JSON.stringify(row)}` },
    );
  await valve({ probe_id: "p7", moisture: null, state: "shut" });

  await tell("profile", { crop: "leek" });
  await tell("telemetry.soil", { reading: "r1", moisture: "19.990" });
  await tell("telemetry.soil", { reading: "r1", moisture: "19.990" });
  await valve({ probe_id: "p7", moisture: "19.990", state: "open" });
  expect(heard.get("irrigation.valve.v1.opened")).toMatchObject({ moisture: "19.990", state: "open" });
  await tell("telemetry.soil", { reading: "r2", moisture: "20.000" });
  await valve({ probe_id: "p7", moisture: "20.000", state: "shut" });
  expect((await irrigation.query("SELECT reading_id, moisture FROM readings ORDER BY 1")).rows).toEqual([
    { reading_id: "r1", moisture: "19.990" },
    { reading_id: "r2", moisture: "20.000" },
  ]);

  await tell("removed", {});
  await valve({ probe_id: null, moisture: "20.000", state: "shut" });
  await waitFor(async () => (await irrigation.query("SELECT FROM readings")).rowCount === 0, {
    timeoutMs: 30_000,
    what: "the readings to go with their probe",
  });
  const journal = async () =>
    (await dashboard.query("SELECT DISTINCT subject FROM journal ORDER BY 1")).rows.map((row) => row.subject);
  const all = [
    "farm.north.probe.p7.profile",
    "farm.north.probe.p7.removed",
    "farm.north.probe.p7.telemetry.soil",
    "irrigation.valve.v1.created",
    "irrigation.valve.v1.opened",
    "irrigation.valve.v1.updated",
  ];
  await waitFor(async () => (await journal()).length >= all.length, { what: "the journal" });
  expect(await journal()).toEqual(all);
  expect((await irrigation.query("SELECT FROM mesh.dead_letter")).rowCount).toBe(0);
});
