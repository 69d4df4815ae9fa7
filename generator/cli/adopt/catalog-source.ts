import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CatalogTable,
  clientConfig,
  readCatalog,
  readMeshSchemas,
  splitStatements,
} from "@meshwright/runtime";
import pg from "pg";
import { removePostgres, startPostgres } from "../../dev/servers/postgres-server.js";
import { UsageError } from "../../project/usage-error.js";
import { reachHint, reachMessage } from "../reach-hint.js";

/*
 * Where a database is read from: itself, or a dump of its schema, which is loaded into a server of our own and read
 * in the same way.
 */

export interface DatabaseSource {
  /** As the server calls it, or the dump's file. */
  readonly name: string;
  readonly catalog: readonly CatalogTable[];
  /** In which the mesh keeps its own tables. */
  readonly meshSchemas: readonly string[];
  /** Statements of a dump that our server does not take, with what it says. */
  readonly refused: readonly { readonly what: string; readonly why: string }[];
}

/** `work` runs while the database can be asked. */
export async function withDatabase<T>(
  from: string,
  work: (source: DatabaseSource, client: pg.Client) => Promise<T>,
): Promise<T> {
  if (/^postgres(ql)?:\/\//.test(from)) {
    const name = decodeURIComponent(new URL(from).pathname.slice(1)) || "postgres";
    return await connected(from, async (client) =>
      work({ name, ...(await readAll(client)), refused: [] }, client),
    );
  }
  return await withDump(from, work);
}

async function readAll(client: pg.Client): Promise<Omit<DatabaseSource, "name" | "refused">> {
  return { catalog: await readCatalog(client), meshSchemas: await readMeshSchemas(client) };
}

async function withDump<T>(
  file: string,
  work: (source: DatabaseSource, client: pg.Client) => Promise<T>,
): Promise<T> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new UsageError(
      `${file} is neither the URL of a PostgreSQL database (postgres://…) nor a file that can be read`,
      "give a URL, or the file that `pg_dump --schema-only` wrote",
      { cause },
    );
  });
  if (text.startsWith("PGDMP"))
    throw new UsageError(
      `${file} is a dump in pg_dump's own format`,
      "dump with `pg_dump --schema-only --format=plain`",
    );
  const folder = await mkdtemp(join(tmpdir(), "mesh-adopt-"));
  const server = await startPostgres({ folder, settings: { fsync: "off", full_page_writes: "off" } });
  try {
    await connected(server.url, (client) => client.query("CREATE DATABASE adopted"));
    const url = new URL(server.url);
    url.pathname = "/adopted";
    return await connected(url.href, async (client) => {
      const refused = await load(client, text);
      const name = file.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "");
      const all = await readAll(client);
      const [first] = refused;
      if (all.catalog.length === 0)
        throw new UsageError(
          `${file} makes no table${first === undefined ? "" : `: ${first.what}: ${first.why}`}`,
          "give the file that `pg_dump --schema-only` wrote",
        );
      return work({ name, ...all, refused }, client);
    });
  } finally {
    await server.stop();
    await removePostgres(folder);
  }
}

async function load(client: pg.Client, text: string): Promise<DatabaseSource["refused"]> {
  // Rows, and what only psql understands.
  const sql = text
    .replaceAll("\r\n", "\n")
    .replace(/^COPY .* FROM stdin;\n[\s\S]*?^\\\.$/gm, "")
    .replace(/^\\.*$/gm, "");
  const refused: { what: string; why: string }[] = [];
  for (const statement of splitStatements(sql)) {
    // Who owns what, and who may read it, is not for mesh.yaml.
    if (
      /^\s*(ALTER [\s\S]* OWNER TO|GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|SET default_tablespace)\b/.test(
        statement.text,
      )
    )
      continue;
    await client.query(statement.text).catch((error: Error) => {
      const [what = ""] = statement.text.trim().split("\n");
      refused.push({ what: `line ${statement.line}: ${what}`, why: error.message });
    });
  }
  return refused;
}

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...clientConfig(url), connectionTimeoutMillis: 30_000 });
  client.on("error", () => undefined);
  await client.connect().catch((cause: Error) => {
    throw new UsageError(`the database cannot be reached: ${reachMessage(cause)}`, reachHint(cause), {
      cause,
    });
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
