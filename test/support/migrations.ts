import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { emitMigrations } from "../../generator/emit/sql/emit-migrations.js";
import type { MigrationPlan, PlannedMigration } from "../../generator/migrations/plan.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { migrate } from "../../runtime/schema/index.js";
import { compile } from "./compile.js";
import { silent } from "./loggers.js";
import { createDatabase } from "./servers.js";

const TEMPLATES = new URL("../../templates/sql/", import.meta.url);

export const templates = Object.fromEntries(
  await Promise.all(
    (await readdir(TEMPLATES)).map(
      async (name) => [`sql/${name}`, await readFile(new URL(name, TEMPLATES), "utf8")] as const,
    ),
  ),
);

/** A mesh of one service, `shop`, that owns these tables and publishes these subjects. */
export function shop(tables: string, subjects = ""): Mesh {
  const indent = (text: string, by: string) =>
    text
      .trim()
      .split("\n")
      .map((line) => by + line)
      .join("\n");
  return compile(`
mesh: test
services:
  shop:
    database: shop_db
    publishes: [shop.*]
databases:
  shop_db:
    tables:
${indent(tables, "      ")}
${subjects.trim() === "" ? "" : `subjects:\n${indent(subjects, "  ")}`}
`);
}

export interface PlanOptions {
  readonly existing?: readonly PlannedMigration[];
  readonly service?: string;
  readonly allowDestructive?: boolean;
  readonly templates?: typeof templates;
}

export function plan(next: Mesh, options: PlanOptions = {}): MigrationPlan {
  return emitMigrations({
    next,
    existing: { [options.service ?? "shop"]: options.existing ?? [] },
    allowDestructive: options.allowDestructive ?? false,
    templates: options.templates ?? templates,
  });
}

/** The files of a chain of models: each is generated on top of the one before. */
export function chain(models: readonly Mesh[], allowDestructive = true): readonly PlannedMigration[] {
  let files: readonly PlannedMigration[] = [];
  for (const next of models) {
    const made = plan(next, { existing: files, allowDestructive });
    if (made.refusals.length > 0) throw new Error(JSON.stringify(made.refusals));
    files = made.files.shop ?? [];
  }
  return files;
}

/** The file's name without the hash of its text. */
export function plainName(name: string): string {
  return name.replace(/_[0-9a-f]{10}\.sql$/, ".sql");
}

/** Applies the files with the runtime's `migrate`. */
export async function applyFiles(
  database: pg.Client | pg.Pool,
  files: readonly { readonly name: string; readonly text: string }[],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-migrations-"));
  try {
    await Promise.all(files.map((file) => writeFile(join(folder, file.name), file.text)));
    await migrate(database, { service: "shop", migrations: folder, logger: silent });
  } finally {
    await rm(folder, { recursive: true });
  }
}

export interface TestDatabase {
  readonly url: string;
  readonly client: pg.Client;
  /** Another session of the same database. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

export async function openDatabase(
  adminUrl: string,
  files?: Parameters<typeof applyFiles>[1],
): Promise<TestDatabase> {
  const url = await createDatabase(adminUrl, "evolve");
  const clients: pg.Client[] = [];
  const connect = async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    clients.push(client);
    return client;
  };
  const client = await connect();
  if (files !== undefined) await applyFiles(client, files);
  return {
    url,
    client,
    connect,
    close: async () => {
      await Promise.all(clients.map((open) => open.end()));
    },
  };
}
