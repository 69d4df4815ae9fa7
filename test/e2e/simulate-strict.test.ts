import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { drawSamples } from "../../generator/cli/simulate/samples.js";
import { compileMesh } from "../../generator/compile.js";
import { testProject } from "../support/generated-project.js";
import { mesh } from "../support/mesh-command.js";
import { openDatabase, plan } from "../support/migrations.js";

const MESH = `
mesh: strict
services:
  shop: { database: shop_db, publishes: [shop.*], http: { port: 8081, resources: { /api/items: items } } }
  desk: { database: desk_db, subscribes: [shop.item.*], http: { port: 8082, resources: { /api/items: item_cache } } }
databases:
  shop_db:
    tables:
      items:
        columns: &columns
          id: { type: text, key: true }
          code: { type: text }
          state: { type: text, one_of: [draft, published, x] }
          price: { type: number }
          share: { type: number, null: true }
          count: { type: bigint, null: true }
          settings: { type: json }
          tags: { type: json }
  desk_db:
    tables:
      item_cache:
        cache: shop.item
        sync: { from: shop, get: /api/items }
        columns: *columns
subjects:
  shop.item.{id}.created:
    event: ItemCreated
    emit: { table: items, on: insert }
    payload: &payload
      id: { type: string, pattern: "^item-[a-z0-9]{4}$" }
      code: { type: string, pattern: "^[A-Z]{3}-\\\\d{2,4}$", maxLength: 7 }
      state: { type: string, minLength: 3 }
      price: { type: number, exclusiveMinimum: 0, maximum: 9.99, multipleOf: 0.01 }
      share: { type: number, minimum: 0, maximum: 1, optional: true }
      count: { type: integer, minimum: 10, maximum: 13, optional: true }
      settings:
        type: object
        required: [size, unit]
        additionalProperties: false
        properties:
          size: { type: integer, minimum: 1, maximum: 9 }
          unit: { enum: [cm, in] }
          parts: { type: array, minItems: 1, items: { anyOf: [{ type: string, pattern: "^[a-z]+$" }, { type: boolean }] } }
      tags: string[]
  shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: *payload }
  shop.item.{id}.deleted: { event: ItemDeleted, emit: { table: items, on: delete }, payload: { id: string } }
`;

test("values are drawn that fit every schema of their column", async () => {
  const model = compileMesh(MESH, { file: "mesh.yaml" }).mesh;
  if (model === undefined) throw new Error("the mesh does not compile");
  const { samples, missing } = drawSamples(model);
  expect(missing).toEqual([]);
  const items = samples.shop?.items ?? {};
  expect(Object.keys(items).sort()).toEqual([
    "code",
    "count",
    "id",
    "price",
    "settings",
    "share",
    "state",
    "tags",
  ]);
  expect(items.state).toEqual(["draft", "published"]);
  expect(items.id?.length).toBe(5);
  for (const code of items.code ?? []) expect(code).toMatch(/^[A-Z]{3}-\d{2,3}$/);
  const shop = await openDatabase(inject("postgres"), plan(model, { service: "shop" }).files.shop);
  const names = Object.keys(items);
  for (let row = 0; row < 5; row += 1) {
    const values = names.map((name) => items[name]?.[row % (items[name]?.length ?? 1)]);
    const places = names.map((_, at) => `$${at + 1}`);
    await shop.client.query(`INSERT INTO items (${names.join()}) VALUES (${places.join()})`, values);
  }
  await shop.close();
});

test("a mesh with strict schemas is simulated, its rows written", async () => {
  const folder = testProject();
  writeFileSync(join(folder, "mesh.yaml"), MESH);
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stdout + generated.stderr).toBe(0);
  const done = await mesh(folder, "simulate", "--runs", "5", "--seed", "7");
  expect(done, done.stdout + done.stderr).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("every promise kept"),
  });
  expect(done.stderr).not.toContain("no value was found");
}, 240_000);
