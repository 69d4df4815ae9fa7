import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { ConfigurationError } from "../../../runtime/configuration-error.js";
import { createPool } from "../../../runtime/database/pool.js";
import { requireOwnSessions } from "../../../runtime/database/pooler.js";
import { startService } from "../../../runtime/service/start.js";
import { silent } from "../../support/loggers.js";
import { ask } from "../../support/migration-folder.js";
import { startPoolingProxy } from "../../support/pooling-proxy.js";
import { createDatabase, freePort, waitFor } from "../../support/servers.js";
import { defineService, KEY } from "../../support/service-definition.js";

let url: string;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  url = await createDatabase(inject("postgres"), "sessions");
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function openPool(at: string): pg.Pool {
  const pool = createPool({ url: at, service: "auth", max: 4, logger: silent, lockTimeoutMs: 7_000 });
  ends.push(() => pool.end());
  return pool;
}

const check = (at: string) =>
  requireOwnSessions({ pool: openPool(at), service: "auth", variable: "AUTH_DB_URL" });

describe("sessions have our settings", () => {
  const NAMES = [
    "TimeZone",
    "DateStyle",
    "extra_float_digits",
    "standard_conforming_strings",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "jit",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "application_name",
    "client_encoding",
  ];
  const OURS = [
    "UTC",
    "ISO, MDY",
    "1",
    "on",
    "read committed",
    "off",
    "off",
    "0",
    "7s",
    "2min",
    "meshwright auth",
    "UTF8",
  ];
  const settings = async (pool: pg.Pool) => {
    const { rows } = await pool.query<{ value: string }>(
      "SELECT current_setting(name) AS value FROM unnest($1::text[]) AS name",
      [NAMES],
    );
    return rows.map(({ value }) => value);
  };
  const OTHERS = {
    TimeZone: "'America/New_York'",
    DateStyle: "'SQL, DMY'",
    extra_float_digits: "-5",
    standard_conforming_strings: "off",
    default_transaction_isolation: "'serializable'",
    default_transaction_read_only: "on",
    statement_timeout: "50",
    lock_timeout: "50",
    idle_in_transaction_session_timeout: "50",
  };

  test("whatever the database and the role have set", async () => {
    const name = new URL(url).pathname.slice(1);
    const role = `${name}_role`;
    const each = Object.entries(OTHERS).flatMap(([setting, value]) => [
      `ALTER ROLE ${role} SET ${setting} = ${value}`,
      `ALTER DATABASE ${name} SET ${setting} = ${value}`,
    ]);
    await ask(url, [`CREATE ROLE ${role} LOGIN PASSWORD 'p'`, ...each].join("; "));
    const as = new URL(url);
    as.username = role;
    as.password = "p";
    expect(await settings(openPool(as.href))).toEqual(OURS);
  });

  test.each([
    "options=-c%20TimeZone%3DAsia/Tokyo%20-c%20statement_timeout%3D50",
    "options=--TimeZone%3DAsia/Tokyo",
    "statement_timeout=50&lock_timeout=50&idle_in_transaction_session_timeout=50&query_timeout=50",
    "application_name=mine&client_encoding=LATIN1&fallback_application_name=other",
  ])("whatever the URL says: ?%s", async (query) => {
    expect(await settings(openPool(`${url}?${query}`))).toEqual(OURS);
  });

  test("and what the URL says besides holds", async () => {
    const pool = openPool(
      `${url}?options=-c%20search_path%3Dshop,public%20-c%20work_mem%3D5MB&sslmode=disable`,
    );
    expect(await settings(pool)).toEqual(OURS);
    const { rows } = await pool.query(
      "SELECT current_setting('search_path') AS path, current_setting('work_mem') AS memory",
    );
    expect(Object.values(rows[0])).toEqual(["shop,public", "5MB"]);
  });

  test("the relay's session, which is not the pool's, has them too", async () => {
    const client = new pg.Client(openPool(`${url}?options=-c%20TimeZone%3DAsia/Tokyo`).options);
    await client.connect();
    expect((await client.query("SHOW TimeZone")).rows).toEqual([{ TimeZone: "UTC" }]);
    await client.end();
  });
});

describe("a pooler", () => {
  const proxied = async (keepsSession = false) => {
    const proxy = await startPoolingProxy(url, keepsSession);
    ends.push(() => proxy.close());
    return proxy.url;
  };

  test("that shares sessions is refused: with it two relays would hold one lock", async () => {
    const at = await proxied();
    const pool = new pg.Pool({ connectionString: at, max: 2 });
    const lock = () => pool.query("SELECT pg_try_advisory_lock(1) AS taken");
    const [one, two] = [await pool.connect(), await pool.connect()];
    // What such a pooler breaks without any error.
    for (const client of [one, two])
      expect((await client.query("SELECT pg_try_advisory_lock(1) AS taken")).rows).toEqual([{ taken: true }]);
    one.release();
    two.release();
    expect((await lock()).rows).toEqual([{ taken: true }]);
    await pool.end();
    const refused = check(at);
    await expect(refused).rejects.toBeInstanceOf(ConfigurationError);
    await expect(refused).rejects.toThrow(
      /AUTH_DB_URL leads to a connection pooler that shares sessions between clients; .* give the URL of the database itself/,
    );
  });

  test("that keeps a session for each client is taken, and so is the database itself", async () => {
    await check(await proxied(true));
    await check(url);
  });

  test("refuses the start of a service at once, and for good", async () => {
    const env = { AUTH_DB_URL: await proxied(), OPERATOR_KEY: KEY, PORT: "0" };
    const service = await startService(await defineService(), env, { logger: silent });
    await expect(service.ready).rejects.toBeInstanceOf(ConfigurationError);
    await service.stop();
  });
});

const hasPgBouncer = spawnSync("pgbouncer", ["--version"]).status === 0;

describe.skipIf(!hasPgBouncer)("PgBouncer", () => {
  const start = async (settings: Readonly<Record<string, string>>) => {
    const folder = mkdtempSync(join(tmpdir(), "pgbouncer-"));
    chmodSync(folder, 0o755);
    const port = await freePort();
    const { hostname, port: to, username, password, pathname } = new URL(url);
    const users = join(folder, "users.txt");
    writeFileSync(users, `"${username}" "${decodeURIComponent(password)}"\n`);
    const all = {
      listen_addr: "127.0.0.1",
      listen_port: port,
      unix_socket_dir: "",
      auth_type: "plain",
      auth_file: users,
      ...settings,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
    writeFileSync(
      join(folder, "pgbouncer.ini"),
      `[databases]\n${pathname.slice(1)} = host=${hostname} port=${to}\n[pgbouncer]\n${lines.join("\n")}\n`,
    );
    const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const child = spawn("pgbouncer", [join(folder, "pgbouncer.ini")], {
      stdio: ["ignore", "ignore", "pipe"],
      ...user,
    });
    ends.push(() => child.kill("SIGKILL"));
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString();
    });
    await waitFor(() => log.includes("process up"), { what: `pgbouncer to be up: ${log}` });
    const at = new URL(url);
    at.port = String(port);
    return at.href;
  };
  const IGNORES = { ignore_startup_parameters: "options,extra_float_digits" };

  test.each([
    ["transaction", {}, /refuses settings \(unsupported startup parameter: options\)/],
    ["session", {}, /refuses settings \(unsupported startup parameter: options\)/],
    ["transaction", IGNORES, /drops the settings of a session/],
    ["session", IGNORES, /drops the settings of a session/],
    ["statement", IGNORES, /drops the settings of a session/],
  ] as const)("in %s mode with %j is refused", async (mode, settings, reason) => {
    const refused = check(await start({ pool_mode: mode, ...settings }));
    await expect(refused).rejects.toBeInstanceOf(ConfigurationError);
    await expect(refused).rejects.toThrow(reason);
  });

  test.each(["0", "1"])("that shares sessions is found out by itself, taken in turn: %s", async (inTurn) => {
    const name = new URL(url).pathname.slice(1);
    await ask(url, `ALTER DATABASE ${name} SET TimeZone = 'UTC'`);
    await ask(url, `ALTER DATABASE ${name} SET idle_in_transaction_session_timeout = 120000`);
    const at = await start({ pool_mode: "transaction", server_round_robin: inTurn, ...IGNORES });
    await expect(check(at)).rejects.toThrow(/shares sessions between clients/);
  });
});
