import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { compileMesh } from "../generator/compile.js";
import { emitMigrations } from "../generator/emit/sql/emit-migrations.js";
import { migrate } from "../runtime/schema/index.js";
import { silent } from "../test/support/loggers.js";
import { createDatabase } from "./database.js";
import type { Servers } from "./section.js";

const meshOf = (service: string) => `
mesh: bench
services:
  ${service}: { source: ${service}-service, database: auth_db, publishes: [${service}.user.*] }
databases:
  auth_db:
    tables:
      users:
        columns:
          user_id: { type: nanoid, key: true }
          username: { type: text, unique: true }
          display_name: { type: text, default: "" }
          created_at: { type: timestamp, default: now }
subjects:
  ${service}.user.{id}.created:
    event: UserCreated
    emit: { table: users, on: insert }
    payload: { user_id: nanoid, username: string, display_name: string }
  ${service}.user.{id}.updated:
    event: UserUpdated
    emit: { table: users, on: update }
    payload: { user_id: nanoid, username: string, display_name: string }
  ${service}.user.{id}.deleted:
    event: UserDeleted
    emit: { table: users, on: delete }
    payload: { user_id: nanoid, username: string }
`;

/** A new database with a table of users that emits events, and `bare`, the same without a trigger. Its URL. */
export async function createOwner(servers: Servers, name: string, service = "auth"): Promise<string> {
  const url = await createDatabase(servers, name);
  const { mesh } = compileMesh(meshOf(service), { file: "bench.yaml" });
  if (mesh === undefined) throw new Error("the benchmark's mesh does not compile");
  const templates = await readTemplates();
  const plan = emitMigrations({
    next: mesh,
    existing: {},
    allowDestructive: false,
    templates,
  });
  const folder = await mkdtemp(join(tmpdir(), "mesh-bench-"));
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    for (const file of plan.files[service] ?? []) await writeFile(join(folder, file.name), file.text);
    await migrate(pool, { service, migrations: folder, logger: silent });
    await pool.query("CREATE TABLE bare (LIKE users INCLUDING ALL)");
  } finally {
    await pool.end();
    await rm(folder, { recursive: true });
  }
  return url;
}

async function readTemplates(): Promise<Readonly<Record<string, string>>> {
  const folder = new URL("../templates/sql/", import.meta.url);
  const names = await readdir(folder);
  const texts = names.map(
    async (name) => [`sql/${name}`, await readFile(new URL(name, folder), "utf8")] as const,
  );
  return Object.fromEntries(await Promise.all(texts));
}
