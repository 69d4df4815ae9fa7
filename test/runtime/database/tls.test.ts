import { chmod, chown, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { isUnavailable } from "../../../runtime/database/database-errors.js";
import { openClient } from "../../../runtime/database/mesh-schema.js";
import { createPool } from "../../../runtime/database/pool.js";
import { requireOwnSessions } from "../../../runtime/database/pooler.js";
import { checkDatabase, databaseUrl, readCredentials } from "../../../runtime/service/credentials.js";
import { warnOfSslMode } from "../../../runtime/service/urls.js";
import { type Authority, type Certified, makeAuthority } from "../../support/certificates.js";
import { recordingLogger } from "../../support/loggers.js";
import { startPostgres, type TestPostgres, waitFor } from "../../support/servers.js";

/*
 * TLS and passwords at a real PostgreSQL with certificates of the test: each sslmode means what it means to psql, and what is in
 * files is replaced while a service runs.
 */

const NOBODY = 65_534;

let folder: string;
let authority: Authority;
let stranger: Authority;
let postgres: TestPostgres;
const pools: pg.Pool[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mesh-tls-"));
  [authority, stranger] = await Promise.all([makeAuthority("mesh test"), makeAuthority("somebody else")]);
  // The name, and not the address that it is reached by.
  const server = await authority.issue(["localhost"]);
  await readableByPostgres(server);
  const hba = join(folder, "pg_hba.conf");
  await writeFile(hba, "hostssl all certified all cert\nhost all all all scram-sha-256\n");
  await chmod(folder, 0o755);
  postgres = await startPostgres({
    ssl: "on",
    ssl_cert_file: server.certFile,
    ssl_key_file: server.keyFile,
    ssl_ca_file: authority.certFile,
    hba_file: hba,
    fsync: "off",
  });
  await asSuperuser("CREATE ROLE certified LOGIN; CREATE ROLE rotated LOGIN PASSWORD 'old password'");
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
});
afterAll(async () => {
  await postgres?.remove();
  await rm(folder, { recursive: true, force: true });
});

async function readableByPostgres({ certFile, keyFile }: Certified): Promise<void> {
  await chmod(dirname(certFile), 0o755);
  if (process.getuid?.() === 0) await chown(keyFile, NOBODY, NOBODY);
}

async function asSuperuser(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** The server's URL with these parameters, for this host and user. */
function urlWith(parameters: string, { host = "localhost", user = "", password = "" } = {}): string {
  const url = new URL(`${postgres.url}${parameters === "" ? "" : `?${parameters}`}`);
  url.hostname = host;
  if (user !== "") Object.assign(url, { username: user, password });
  return url.href;
}

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return path;
}

function poolOf(env: Readonly<Record<string, string>>) {
  const files = readCredentials(["SFS_DB_URL", "SFS_DB_PASSWORD"], env);
  const problems = [...files.problems.values(), ...checkDatabase("SFS_DB_URL", files.env)];
  if (problems.length > 0) throw new Error(problems.join("; "));
  const logger = recordingLogger();
  const pool = createPool({
    url: databaseUrl("SFS_DB_URL", files.env) ?? "",
    renew: (warn) => databaseUrl("SFS_DB_URL", files.renewed(warn)) ?? "",
    service: "sfs",
    max: 2,
    logger,
  });
  pools.push(pool);
  return { pool, logger };
}

/** Whether it is encrypted; or the error's message. */
async function tryUrl(url: string): Promise<boolean | string> {
  const { pool } = poolOf({ SFS_DB_URL: url });
  try {
    const { rows } = await pool.query<{ ssl: boolean }>(
      "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    return rows[0]?.ssl ?? "no row";
  } catch (error) {
    expect(isUnavailable(error), String(error)).toBe(true);
    return error instanceof Error ? error.message : String(error);
  }
}

const ca = () => `sslrootcert=${authority.certFile}`;
const foreign = () => `sslrootcert=${stranger.certFile}`;
const UNTRUSTED = expect.stringMatching(/self-signed certificate|unable to (verify|get)/);
const ELSEWHERE = expect.stringMatching(/does not match certificate's altnames|not in the cert's list/);

test("each sslmode is what it is to psql", async () => {
  const ip = { host: "127.0.0.1" };
  const results = {
    none: await tryUrl(urlWith("")),
    disable: await tryUrl(urlWith("sslmode=disable")),
    "require, whoever it is": await tryUrl(urlWith("sslmode=require")),
    "ssl=true": await tryUrl(urlWith("ssl=true")),
    "require with an authority asks it": await tryUrl(urlWith(`sslmode=require&${foreign()}`)),
    "verify-ca": await tryUrl(urlWith(`sslmode=verify-ca&${ca()}`)),
    "verify-ca of another host": await tryUrl(urlWith(`sslmode=verify-ca&${ca()}`, ip)),
    "verify-ca of another authority": await tryUrl(urlWith(`sslmode=verify-ca&${foreign()}`)),
    "verify-full": await tryUrl(urlWith(`sslmode=verify-full&${ca()}`)),
    "verify-full of another host": await tryUrl(urlWith(`sslmode=verify-full&${ca()}`, ip)),
    "verify-full with Node's authorities": await tryUrl(urlWith("sslmode=verify-full&sslrootcert=system")),
    "an authority alone": await tryUrl(urlWith(foreign())),
  };
  expect(results).toEqual({
    none: false,
    disable: false,
    "require, whoever it is": true,
    "ssl=true": true,
    "require with an authority asks it": UNTRUSTED,
    "verify-ca": true,
    "verify-ca of another host": true,
    "verify-ca of another authority": UNTRUSTED,
    "verify-full": true,
    "verify-full of another host": ELSEWHERE,
    "verify-full with Node's authorities": UNTRUSTED,
    "an authority alone": UNTRUSTED,
  });
});

test("what the URL cannot mean is one line; require without an authority is warned of", () => {
  const of = (parameters: string) => checkDatabase("SFS_DB_URL", { SFS_DB_URL: urlWith(parameters) });
  expect(of("sslmode=prefer")[0]).toMatch(/the sslmode "prefer" is not supported: write require/);
  expect(of("sslmode=no-verify")[0]).toMatch(/write require, which is the same/);
  expect(of("sslmode=verify-ca")[0]).toMatch(/needs the file of your authority/);
  for (const weak of ["require", "verify-ca"])
    expect(of(`sslmode=${weak}&sslrootcert=system`)[0]).toMatch(
      /sslrootcert=system needs sslmode=verify-full/,
    );
  expect(of("sslmode=require&sslcert=/x")[0]).toMatch(/sslcert and sslkey belong together/);
  expect(of(`sslmode=require&sslcert=${authority.certFile}&sslkey=${stranger.keyFile}`)[0]).toMatch(
    /^SFS_DB_URL cannot be used: .*key values mismatch/,
  );
  const both = { SFS_DB_URL: urlWith(""), SFS_DB_PASSWORD: "hunter2" };
  expect(checkDatabase("SFS_DB_URL", both)).toEqual([
    "SFS_DB_URL holds a password, and SFS_DB_PASSWORD is set; give one of them",
  ]);
  expect(warnOfSslMode("SFS_DB_URL", urlWith("sslmode=require"))).toEqual([
    expect.stringMatching(/^SFS_DB_URL has sslmode=require: /),
  ]);
  expect(warnOfSslMode("SFS_DB_URL", urlWith(`sslmode=require&${ca()}`))).toEqual([]);
});

test("a client certificate is the login; it is replaced without a restart", async () => {
  const first = await authority.issue(["certified"]);
  const cert = await file("client.pem", first.cert);
  const key = await file("client.key", first.key);
  const parameters = `sslmode=verify-full&${ca()}&sslcert=${cert}&sslkey=${key}`;
  const { pool, logger } = poolOf({ SFS_DB_URL: urlWith(parameters, { user: "certified" }) });
  const serialOf = async (client: pg.ClientBase | pg.Pool) => {
    const { rows } = await client.query<{ serial: string }>(
      "SELECT client_serial::text AS serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    return rows[0]?.serial;
  };
  const beside = async () => {
    const client = openClient(pool);
    await client.connect();
    const serial = await serialOf(client);
    await client.end();
    return serial;
  };
  const before = await serialOf(pool);
  expect(await beside()).toBe(before);
  const second = await authority.issue(["certified"]);
  await file("client.pem", second.cert);
  await file("client.key", second.key);
  const after = await beside();
  expect(after).not.toBe(before);
  // A file that is gone for a moment ends nothing.
  await rm(cert);
  expect(await beside()).toBe(after);
  expect(logger.lines.map(({ message }) => message)).toContain("a secret is used as it was before");
});

test("a password in a file beside the URL, and one in the file of the URL, are read for each connection", async () => {
  const user = { user: "rotated" };
  await asSuperuser("ALTER ROLE rotated PASSWORD 'old password'");
  const password = await file("password", "old password\n");
  const url = await file("url", urlWith("", { ...user, password: "old%20password" }));
  const apart = poolOf({ SFS_DB_URL: urlWith("", user), SFS_DB_PASSWORD_FILE: password });
  const whole = poolOf({ SFS_DB_URL_FILE: url });
  for (const { pool } of [apart, whole]) {
    await requireOwnSessions({ pool, service: "sfs", variable: "SFS_DB_URL" });
    await pool.query("SELECT 1");
  }
  await asSuperuser("ALTER ROLE rotated PASSWORD 'new: pass%20word/?'");
  await file("password", "new: pass%20word/?\n");
  await file("url", urlWith("", { ...user, password: encodeURIComponent("new: pass%20word/?") }));
  await asSuperuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'");
  for (const { pool, logger } of [apart, whole]) {
    await waitFor(() => pool.query("SELECT 1"), { what: "a connection with the new password" });
    expect(JSON.stringify(logger.lines)).not.toContain("new: pass");
  }
});

test("PGPASSFILE serves where the URL has no password", async () => {
  const { hostname, port } = new URL(urlWith("", { user: "rotated" }));
  await asSuperuser("ALTER ROLE rotated PASSWORD 'from the file'");
  process.env.PGPASSFILE = await file("pgpass", `${hostname}:${port}:*:rotated:from the file\n`);
  try {
    const { pool } = poolOf({ SFS_DB_URL: urlWith("", { user: "rotated" }) });
    expect((await pool.query("SELECT 1")).rowCount).toBe(1);
  } finally {
    delete process.env.PGPASSFILE;
  }
});
