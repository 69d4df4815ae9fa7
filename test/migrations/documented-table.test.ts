import { readFile } from "node:fs/promises";
import { expect, inject, test } from "vitest";
import { readCatalog } from "../support/catalog.js";
import { compile, readMesh } from "../support/compile.js";
import { openDatabase, plan } from "../support/migrations.js";

test("the emitted user_cache is the documented one, down to the names of its constraints", async () => {
  const documented = await readFile(new URL("./fixtures/user_cache.sql", import.meta.url), "utf8");
  const { files } = plan(compile(readMesh()));
  const fresh = await openDatabase(inject("postgres"));
  await fresh.client.query(documented);
  const expected = await readCatalog(fresh.client, "user_cache");
  await fresh.close();
  expect(expected).toContain("constraint user_cache.user_cache_username_key u UNIQUE (username)");

  for (const service of ["sfs", "compute"]) {
    const emitted = await openDatabase(inject("postgres"), files[service] ?? []);
    expect(await readCatalog(emitted.client, "user_cache")).toEqual(expected);
    const order = await emitted.client.query(
      "SELECT string_agg(attname, ' ' ORDER BY attnum) AS names FROM pg_attribute WHERE attrelid = 'user_cache'::regclass AND attnum > 0",
    );
    expect(order.rows[0]?.names).toBe("user_id username display_name synced_at");
    await emitted.close();
  }
});

test("the statement itself reads like the documented one", async () => {
  const documented = await readFile(new URL("./fixtures/user_cache.sql", import.meta.url), "utf8");
  const { files } = plan(compile(readMesh()));
  expect(files.sfs?.[0]?.text).toContain(documented);
});
