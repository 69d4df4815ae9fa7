import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect, test } from "vitest";
import { afterTest } from "../support/after-test.js";
import { testProject } from "../support/generated-project.js";
import { mesh, startDev } from "../support/mesh-command.js";

/*
 * Two services share a PostgreSQL database: `mesh dev` migrates one behind the other where it needs what that one gives up, whichever
 * stands first in the file.
 */

const meshOf = (shop: string, audit: string) => `
mesh: making
services: { audit: { database: audit_db }, shop: { database: shop_db } }
databases:
  audit_db: { shares: shop_db, tables: { ${audit}: { columns: { id: { type: text, key: true } } } } }
  shop_db: { tables: { ${shop} } }
`;
const KEYED = "columns: { id: { type: text, key: true } }";

test("mesh dev: the service that takes a name which the other gives up is migrated behind it", {
  timeout: 240_000,
}, async () => {
  const folder = testProject();
  const start = async (text: string) => {
    writeFileSync(join(folder, "mesh.yaml"), text);
    const generated = await mesh(folder, "generate");
    expect(generated.code, generated.stderr).toBe(0);
    const dev = await startDev(folder, join(folder, ".mesh"));
    const open = async (database: string) => {
      const client = new pg.Client({ connectionString: dev.endpoints.databases[database] ?? "" });
      client.on("error", () => undefined);
      await client.connect();
      afterTest(() => client.end());
      return client;
    };
    afterTest(() => dev.end());
    const [shop, audit] = [await open("shop_db"), await open("audit_db")];
    return { shop, audit, end: () => dev.end() };
  };
  const first = await start(meshOf(`ledger: { ${KEYED} }`, "notes"));
  await first.shop.query("INSERT INTO ledger VALUES ('kept')");
  await first.end();

  const { shop, audit } = await start(
    meshOf(
      `books: { renamed_from: ledger, ${KEYED} }`,
      "notes: { columns: { id: { type: text, key: true } } }, ledger",
    ),
  );
  expect((await shop.query("SELECT id FROM books")).rows).toEqual([{ id: "kept" }]);
  expect((await audit.query("SELECT id FROM ledger")).rows).toEqual([]);
});
