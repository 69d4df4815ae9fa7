import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientBase } from "pg";
import { afterAll, expect, inject, test } from "vitest";
import { compileMesh } from "../../generator/compile.js";
import { renderDiagnostics } from "../../generator/diagnostics/render.js";
import { emitMigrations } from "../../generator/emit/sql/emit-migrations.js";
import { openOutputFolder } from "../../generator/project/output-folder.js";
import { readTemplates } from "../../generator/project/package.js";
import { migrate } from "../../runtime/schema/index.js";
import { readCatalog } from "../support/catalog.js";
import { compile, readMesh } from "../support/compile.js";
import { generate, plan } from "../support/generated-output.js";
import { silent } from "../support/loggers.js";
import { openDatabase } from "../support/migrations.js";

/*
 * A checkout on a machine that turns line ends: git writes CRLF, and everything is still what it was.
 */

const place = mkdtempSync(join(tmpdir(), "mesh-checkout-"));
afterAll(() => rmSync(place, { recursive: true }));

const git = (folder: string, ...args: readonly string[]) =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], {
    cwd: folder,
    stdio: "pipe",
  });

const reference = readMesh("mesh.yaml");

test("a clone with core.autocrlf is up to date, and its services migrate as all others", async () => {
  const options = {
    loadMigrationPlanner: async () => emitMigrations,
    templates: await readTemplates(),
    distrustLock: true,
  };
  const [origin, clone] = [join(place, "origin"), join(place, "clone")];
  mkdirSync(origin);
  writeFileSync(join(origin, "mesh.yaml"), reference);
  expect((await generate(reference, openOutputFolder(join(origin, "generated")), options)).refusals).toEqual(
    [],
  );
  git(origin, "init", "-q");
  git(origin, "add", ".");
  git(origin, "commit", "-qm", "first");
  git(place, "clone", "-q", "-c", "core.autocrlf=true", origin, clone);
  const text = readFileSync(join(clone, "mesh.yaml"), "utf8");
  expect(text).toContain("\r\n");
  expect(readFileSync(join(clone, "generated/mesh.lock.json"), "utf8")).toContain("\r\n");

  const folder = openOutputFolder(join(clone, "generated"));
  expect(await plan(text, folder, options)).toMatchObject({ drift: [], refusals: [] });
  expect(await plan(text, folder, { ...options, distrustLock: false })).toMatchObject({
    write: [],
    drift: [],
  });

  const folderOf = (root: string) => ({
    service: "auth",
    migrations: join(root, "generated/auth/migrations"),
    logger: silent,
  });
  const [plain, turned] = [await openDatabase(inject("postgres")), await openDatabase(inject("postgres"))];
  await migrate(plain.client, folderOf(origin));
  await migrate(turned.client, folderOf(clone));
  expect(await readCatalog(turned.client)).toEqual(await readCatalog(plain.client));
  expect(await readSources(turned.client)).toEqual(await readSources(plain.client));
  expect((await migrate(plain.client, folderOf(clone))).applied).toEqual([]);
  await Promise.all([plain.close(), turned.close()]);
}, 60_000);

/** The functions' texts as they were written: what PostgreSQL stores, and a comparison of two databases would show. */
async function readSources(client: ClientBase): Promise<readonly unknown[]> {
  const { rows } = await client.query(
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'mesh'::regnamespace ORDER BY proname, prosrc",
  );
  expect(rows.length).toBeGreaterThan(0);
  return rows;
}

test("mesh.yaml means the same with CRLF, and its mistakes stand at the same places", () => {
  const turned = (text: string) => text.replaceAll("\n", "\r\n");
  expect(compile(turned(reference))).toEqual(compile(reference));
  const block = reference.replace(
    /^description: .*$/m,
    "description: |\n  Two lines,\n  one below the other.",
  );
  expect(compile(turned(block))).toEqual(compile(block));
  const wrong = reference.replace("auth.user.*", "auth.usr.*").replace("type: text", "type: txt");
  const rendered = (text: string) => renderDiagnostics(compileMesh(text, { file: "mesh.yaml" }).diagnostics);
  expect(rendered(wrong)).toContain("error");
  expect(rendered(turned(wrong))).toBe(rendered(wrong));
});
