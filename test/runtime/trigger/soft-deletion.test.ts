import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { compile, readMesh } from "../../support/compile.js";
import { applyFiles, openDatabase, plan, type TestDatabase } from "../../support/migrations.js";
import { brief, takeEvents } from "../../support/trigger-events.js";

/* Tables of the scenario `soft-deletion`: to the mesh a row in which the column is set does not exist. */

let database: TestDatabase;
const sql = (text: string, values: readonly unknown[] = []) => database.client.query(text, [...values]);
const events = async () => brief(await takeEvents(database.client));
const bodies = async () => (await takeEvents(database.client)).map(({ body }) => JSON.parse(body));

beforeAll(async () => {
  database = await openDatabase(inject("postgres"));
  await sql(`CREATE TABLE likes (like_id bigserial PRIMARY KEY, cart_id text NOT NULL, gone boolean NOT NULL DEFAULT false);
    CREATE TABLE parcels (parcel_id bigserial PRIMARY KEY, weight integer NOT NULL, "deletedAt" timestamptz);
    INSERT INTO parcels VALUES (900, 1, NULL), (901, 1, now())`);
  const mesh = compile(readMesh("test/scenarios/emit/soft-deletion/mesh.yaml"));
  await applyFiles(database.client, plan(mesh).files.shop ?? []);
});
afterAll(() => database.close());
beforeEach(() =>
  sql("DELETE FROM likes; DELETE FROM carts; DELETE FROM mesh.outbox; DELETE FROM mesh.applied"),
);

const cart = (id: string, more = "") =>
  sql(`INSERT INTO carts (cart_id, label${more && ", deleted_at"}) VALUES ($1, 'label'${more})`, [id]);
const remove = (id: string) => sql("UPDATE carts SET deleted_at = now() WHERE cart_id = $1", [id]);
const restore = (id: string) => sql("UPDATE carts SET deleted_at = NULL WHERE cart_id = $1", [id]);
const beginning = async (id: string) =>
  (await sql("SELECT version::int, first_version::int FROM mesh.entity_version WHERE entity_id = $1", [id]))
    .rows[0];

describe("a table with soft_delete", () => {
  test("tells of the column that is set as the deletion, and of one that is cleared as a creation", async () => {
    await cart("a");
    await remove("a");
    await restore("a");
    expect(await events()).toEqual(["created a v1", "deleted a v2", "created a v3"]);
    expect(await beginning("a")).toEqual({ version: 3, first_version: 3 });
  });

  test("tells nothing of a row that is softly deleted: not its insertion, updates or removal", async () => {
    await cart("b", ", now()");
    await sql("UPDATE carts SET label = 'other', state = 'paid', deleted_at = now() - interval '1 day'");
    await sql("DELETE FROM carts");
    expect(await events()).toEqual([]);
    expect(await beginning("b")).toBeUndefined();
  });

  test("tells of a hard deletion of a living row, and of that alone", async () => {
    await Promise.all(["c", "d"].map((id) => cart(id)));
    await remove("d");
    await takeEvents(database.client);
    await sql("DELETE FROM carts");
    expect(await events()).toEqual(["deleted c v2"]);
  });

  test("tells of rows of one statement by what the statement does to each", async () => {
    for (const id of ["e", "f", "g", "h"]) await cart(id, id > "f" ? ", now()" : "");
    await takeEvents(database.client);
    await sql(`UPDATE carts SET label = 'x', deleted_at = CASE WHEN cart_id IN ('f', 'h') THEN now() END`);
    expect(await events()).toEqual(["updated e v2", "deleted f v2", "created g v1"]);
  });

  test("shows in a deletion what the same update wrote", async () => {
    await cart("i");
    await takeEvents(database.client);
    await sql("UPDATE carts SET deleted_at = now(), state = 'paid'");
    expect(await bodies()).toMatchObject([{ cart_id: "i", state: "paid" }]);
  });

  test("emits a condition's event for no row that comes back so", async () => {
    await cart("j");
    await remove("j");
    await sql("UPDATE carts SET deleted_at = NULL, state = 'paid'");
    await sql("UPDATE carts SET state = 'open'");
    await sql("UPDATE carts SET state = 'paid'");
    expect(await events()).toEqual(["created j v1", "deleted j v2", "created j v3", "paid j v4"]);
  });

  test("lets a softly deleted row hold what no event could carry, until it comes back", async () => {
    await cart("k");
    await remove("k");
    await sql("UPDATE carts SET label = 'far too long'");
    await expect(restore("k")).rejects.toMatchObject({ code: "23514", column: "label" });
    await sql("UPDATE carts SET label = 'short', deleted_at = NULL");
    expect(await events()).toEqual(["created k v1", "deleted k v2", "created k v3"]);
  });

  test("tells of 25,000 rows that one statement deletes, each once", async () => {
    await sql("INSERT INTO carts (cart_id, label) SELECT 'n' || n, 'x' FROM generate_series(1, 25000) AS n");
    await takeEvents(database.client);
    await sql("UPDATE carts SET deleted_at = now()");
    const taken = await takeEvents(database.client);
    expect(new Set(taken.map(({ entity_id }) => entity_id)).size).toBe(25_000);
    expect(taken.every(({ subject, version }) => subject.endsWith(".deleted") && version === 2)).toBe(true);
  });
});

describe("a flag in a table that exists, whose events are about another entity", () => {
  test("tells of the entity that the row named before it was deleted", async () => {
    await sql("INSERT INTO likes (cart_id) VALUES ('l'), ('l')");
    await sql("UPDATE likes SET gone = true, cart_id = 'm' WHERE like_id = (SELECT min(like_id) FROM likes)");
    await sql("UPDATE likes SET gone = false");
    await sql("DELETE FROM likes");
    expect(await events()).toEqual([
      "liked l v1",
      "liked l v2",
      "unliked l v3",
      "liked m v1",
      "unliked l v4",
      "unliked m v2",
    ]);
  });
});

describe("a table with soft_delete that existed", () => {
  test("has first versions for the rows that lived, and a creation for one that comes back", async () => {
    expect(await beginning("900")).toEqual({ version: 1, first_version: null });
    expect(await beginning("901")).toBeUndefined();
    await sql('UPDATE parcels SET "deletedAt" = NULL WHERE parcel_id = 901');
    await sql('UPDATE parcels SET "deletedAt" = now() WHERE parcel_id = 900');
    expect(await events()).toEqual(["created 901 v1", "deleted 900 v2"]);
  });
});

describe("a column of a softly deleted row that names a deleted entity", () => {
  const forget = (person: string) =>
    sql(
      "INSERT INTO mesh.applied (entity, entity_id, version, versioned, deleted, stream_seq) VALUES ('crm.person', $1, 2, true, true, 5)",
      [person],
    );

  test("is taken as it is, and refused where the row comes back", async () => {
    await sql("INSERT INTO carts (cart_id, label, person_id) VALUES ('o', 'x', 'p1')");
    await sql("UPDATE carts SET deleted_at = now()");
    await sql("DELETE FROM mesh.applied");
    await forget("p1");
    await sql("INSERT INTO carts (cart_id, label, person_id, deleted_at) VALUES ('q', 'x', 'p1', now())");
    await sql("UPDATE carts SET label = 'y'");
    await expect(restore("o")).rejects.toMatchObject({ code: "23503", column: "person_id" });
    await expect(restore("q")).rejects.toMatchObject({ code: "23503" });
    await sql("UPDATE carts SET deleted_at = NULL, person_id = NULL WHERE cart_id = 'o'");
    await expect(sql("UPDATE carts SET person_id = 'p1' WHERE cart_id = 'o'")).rejects.toMatchObject({
      code: "23503",
    });
  });
});
