import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { findPostgres } from "../../generator/dev/servers/postgres-binary.js";

/** What `pg_dump --schema-only` says of a database, object by object: owners and grants included. */
export async function dumpSchema(url: string): Promise<string> {
  const program = join(await findPostgres(), "pg_dump");
  const { stdout } = await promisify(execFile)(program, ["--schema-only", url], { maxBuffer: 2 ** 26 });
  // A key of its own each time, against psql's meta-commands.
  return stdout.replace(/^\\(un)?restrict .*$/gm, "");
}

/** Copies a database with its rows into a file; the result puts the file in its place, whoever is connected. */
export async function backUp(url: string, file: string): Promise<() => Promise<void>> {
  const run = async (program: string, ...parameters: readonly string[]) => {
    await promisify(execFile)(join(await findPostgres(), program), parameters);
  };
  await run("pg_dump", "--format=custom", "--file", file, url);
  return async () => {
    const server = new URL(url);
    server.pathname = "/postgres";
    const admin = new pg.Client({ connectionString: server.href });
    await admin.connect();
    const name = pg.escapeIdentifier(decodeURIComponent(new URL(url).pathname.slice(1)));
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.end();
    await run("pg_restore", "--exit-on-error", "--dbname", url, file);
  };
}

/** The lines of a dump that say something, without the commas between them. */
export function linesOf(dump: string): readonly string[] {
  return dump
    .split("\n")
    .map((line) => line.replace(/,$/, ""))
    .filter((line) => line !== "" && !/^(--|SET )/.test(line));
}

/** What the head of each object says: `Name: users; Type: TABLE; Schema: public; Owner: postgres`. */
export function headsOf(dump: string): readonly string[] {
  return dump.match(/^-- Name: .*$/gm) ?? [];
}
