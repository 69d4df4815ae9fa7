import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { expect, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { testProject } from "../support/generated-project.js";
import { mesh, operatorUrl, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

const MESH = `
mesh: soft-deletion
services:
  crm: { database: crm_db, publishes: [crm.person.*], http: { port: 8081, resources: { /api/people: people } } }
  shop:
    database: shop_db
    publishes: [shop.*]
    subscribes: [crm.person.*, shop.cart.*]
    http: { port: 8082, resources: { /api/carts: carts } }
databases:
  crm_db:
    tables:
      people:
        soft_delete: deleted_at
        columns: { person_id: { type: nanoid, key: true }, name: { type: text, unique: true }, deleted_at: timestamp? }
  shop_db:
    tables:
      person_cache:
        cache: crm.person
        sync: { from: crm, get: /api/people }
        columns: { person_id: { type: text, key: true }, name: text }
      carts:
        soft_delete: is_gone
        columns:
          cart_id: { type: nanoid, key: true }
          person_id: text
          is_gone: { type: boolean, default: false }
      lines: { columns: { line_id: { type: nanoid, key: true }, cart_id: text } }
subjects:
  crm.person.{id}.created: { event: PersonCreated, emit: { table: people, on: insert }, payload: { person_id: nanoid, name: string } }
  crm.person.{id}.updated: { event: PersonUpdated, emit: { table: people, on: update }, payload: { person_id: nanoid, name: string } }
  crm.person.{id}.deleted: { event: PersonDeleted, emit: { table: people, on: delete }, payload: { person_id: nanoid } }
  shop.cart.{id}.opened: { event: CartOpened, emit: { table: carts, on: insert }, payload: { person_id: string } }
  shop.cart.{id}.deleted: { event: CartDeleted, emit: { table: carts, on: delete }, payload: { person_id: string } }
cascades:
  - { on: shop.cart.deleted, service: shop, delete: lines.cart_id }
  - { on: crm.person.deleted, service: shop, delete: carts.person_id }
`;

test("a soft deletion empties copies and cascades across services, and clearing its column re-creates", {
  timeout: 170_000,
}, async () => {
  const folder = testProject();
  writeFileSync(join(folder, "mesh.yaml"), MESH);
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
  const state = join(folder, ".mesh");
  const dev = await startDev(folder, state);
  afterTest(() => dev.end());
  const crm = await openClient(dev.endpoints.databases.crm_db);
  const shop = await openClient(dev.endpoints.databases.shop_db);
  const nats = await connect({ servers: operatorUrl(dev.endpoints) });
  afterTest(() => nats.close());
  const heard: string[] = [];
  nats.subscribe(">", {
    callback: (_, { subject }) => void (/^(crm|shop)\./.test(subject) && heard.push(subject)),
  });
  await nats.flush();
  const copy = async () =>
    (await shop.query("SELECT name FROM person_cache ORDER BY 1")).rows.map(({ name }) => name);
  const carts = async () =>
    (await shop.query("SELECT cart_id, is_gone FROM carts ORDER BY 1")).rows.map(
      (row) => `${row.cart_id}${row.is_gone ? " gone" : ""}`,
    );
  const sees = (names: readonly string[]) =>
    waitFor(async () => (await copy()).join() === names.join(), {
      timeoutMs: 30_000,
      what: `the copy to be ${names.join()}`,
    });

  await crm.query(
    "INSERT INTO people VALUES ('a', 'Ann'), ('b', 'Ben'); INSERT INTO people VALUES ('c', 'Cat', now())",
  );
  await sees(["Ann", "Ben"]);
  await shop.query("INSERT INTO carts (cart_id, person_id) VALUES ('1', 'a'), ('2', 'b')");
  await crm.query("UPDATE people SET deleted_at = now() WHERE person_id = 'a'");
  await sees(["Ben"]);
  expect(await carts()).toEqual(["1 gone", "2"]);
  // Its cart stays deleted: what the deletion took along, a re-creation does not bring back.
  await crm.query("UPDATE people SET name = 'Anna', deleted_at = NULL WHERE person_id = 'a'");
  await sees(["Anna", "Ben"]);
  expect(await carts()).toEqual(["1 gone", "2"]);
  await waitFor(() => heard.filter((subject) => subject.startsWith("shop.")).length === 3, {
    what: "the events of the carts",
  });
  const heardOf = (entity: string) => heard.filter((subject) => subject.startsWith(entity));
  expect(heardOf("crm.person.a.")).toEqual(
    ["created", "deleted", "created"].map((it) => `crm.person.a.${it}`),
  );
  expect(heardOf("crm.person.c.")).toEqual([]);
  expect(heardOf("shop.cart.1.")).toEqual(["shop.cart.1.opened", "shop.cart.1.deleted"]);

  // A copy that has missed it all is healed by the snapshot: softly deleted rows are not in it.
  await crm.query("UPDATE people SET deleted_at = now() WHERE person_id = 'b'");
  await sees(["Anna"]);
  await shop.query("INSERT INTO person_cache VALUES ('b', 'Ben'), ('c', 'Cat')");
  const found = await mesh(folder, "verify");
  expect(found.stdout + found.stderr).toMatch(/2 (extra|rows)/);
  expect(await mesh(folder, "resync", "shop")).toMatchObject({ code: 0 });
  expect(await mesh(folder, "verify")).toMatchObject({ code: 0 });
  expect(await copy()).toEqual(["Anna"]);
  const traced = await mesh(folder, "trace", "crm.person", "b", "--json");
  expect(traced.code, traced.stdout + traced.stderr).toBe(0);
  expect(JSON.parse(traced.stdout)).toMatchObject({
    owner: { row: "softly deleted" },
    subscribers: [{ standing: { kind: "applied", deleted: true }, trace: { copy: { row: "missing" } } }],
    problems: [],
  });

  // Over REST as the service's own role: the column is set, and nobody finds the row any more.
  const { rows: roles } = await shop.query(
    "SELECT DISTINCT usename AS role FROM pg_stat_activity WHERE application_name = 'meshwright shop'",
  );
  expect(roles).toEqual([{ role: "shop_service" }]);
  const ask = async (path: string, method = "GET", body = "{}") => {
    const answer = await fetch(`${dev.endpoints.services.shop?.http}/api/carts${path}`, {
      method,
      headers: {
        authorization: `Bearer ${dev.endpoints.service_key}`,
        "content-type": "application/json",
      },
      ...(method === "POST" || method === "PATCH" ? { body } : {}),
    });
    return answer.status;
  };
  expect(await ask("", "POST", '{"cart_id": "3", "person_id": "a"}')).toBe(201);
  expect(await ask("/3", "DELETE")).toBe(204);
  expect([
    await ask("/3"),
    await ask("/3", "PATCH", '{"person_id": "a"}'),
    await ask("/3", "DELETE"),
  ]).toEqual([404, 404, 404]);
  expect(await carts()).toContain("3 gone");

  // The service is behind its own writes, as where the broker is away: its cascade takes what names the cart, whenever that was written.
  await shop.query("INSERT INTO carts (cart_id, person_id) VALUES ('4', 'a'), ('5', 'a')");
  await shop.query("INSERT INTO lines VALUES ('before', '4'), ('kept', '5')");
  const caughtUp = (version: number) =>
    waitFor(
      async () => {
        const { rows } = await shop.query(
          "SELECT FROM mesh.applied WHERE entity = 'shop.cart' AND entity_id = '4' AND version = $1",
          [version],
        );
        return rows.length === 1;
      },
      { timeoutMs: 30_000, what: `shop to apply version ${version} of its cart` },
    );
  await caughtUp(1);
  const shopProcess = dev.servicePid("shop");
  process.kill(shopProcess, "SIGSTOP");
  try {
    for (const gone of [true, false, true, false])
      await shop.query("UPDATE carts SET is_gone = $1 WHERE cart_id = '4'", [gone]);
    await shop.query("INSERT INTO lines VALUES ('meanwhile', '4')");
  } finally {
    process.kill(shopProcess, "SIGCONT");
  }
  await caughtUp(5);
  await shop.query("INSERT INTO lines VALUES ('after', '4')");
  const { rows: lines } = await shop.query("SELECT line_id FROM lines ORDER BY 1");
  expect(lines.map(({ line_id }) => line_id)).toEqual(["after", "kept"]);
  expect(await ask("/4")).toBe(200);
  expect(await mesh(folder, "verify")).toMatchObject({ code: 0 });
  expect((await shop.query("SELECT FROM mesh.dead_letter")).rowCount).toBe(0);
});
