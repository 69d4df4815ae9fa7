import { rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { compile, generate, makeProject } from "../support/generated-project.js";
import { mesh, type RunningDev, startDev } from "../support/mesh-command.js";
import {
  allWords,
  CASCADED,
  COPIER,
  copied,
  HOSTILE,
  meshOfWords,
  OWNER,
  type WordTable,
  wordTables,
} from "../support/mesh-of-words.js";
import { bareClient } from "../support/reference-mesh.js";
import { SHARP } from "../support/reserved-words.js";
import { waitFor } from "../support/servers.js";

/*
 * Any name that the language accepts works everywhere: every word as a column, sharp ones as everything else, on real servers.
 */

let folder = "";
let dev: RunningDev;
let tables: readonly WordTable[] = [];
let owner: pg.Pool;
let copier: pg.Pool;

beforeAll(async () => {
  folder = makeProject();
  const words = await allWords(inject("postgres"));
  tables = wordTables(words);
  await generate(folder, meshOfWords(tables, words));
  dev = await startDev(folder, join(folder, ".mesh"));
  await waitFor(ready, { timeoutMs: 100_000, what: "both services to be ready" });
  owner = new pg.Pool({ connectionString: dev.endpoints.databases.public ?? "", max: 4 });
  copier = new pg.Pool({
    connectionString: dev.endpoints.databases.constructor as unknown as string,
    max: 4,
  });
}, 240_000);

afterAll(async () => {
  await owner?.end();
  await copier?.end();
  await dev?.end();
  rmSync(folder, { recursive: true, force: true });
});

async function ready(): Promise<boolean> {
  const statuses = Object.values(dev.endpoints.services).map(async ({ http }) => {
    const answer = (await (await fetch(`${http}/readyz`)).json()) as { readonly status: string };
    return answer.status;
  });
  return (await Promise.all(statuses)).every((status) => status === "ready");
}

async function call(service: string, request: string, body?: object) {
  const [method = "GET", path = "/"] = request.split(" ");
  const response = await fetch(`${dev.endpoints.services[service]?.http}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${dev.endpoints.service_key}`,
      ...(body && { "content-type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer = text === "" ? undefined : JSON.parse(text);
  if (!response.ok) throw new Error(`${service} ${request}: ${response.status} ${text.slice(0, 500)}`);
  return answer;
}

/** Broker URL with the operator's login. */
function asOperator({ endpoints }: RunningDev): string {
  const url = new URL(endpoints.nats);
  url.username = endpoints.nats_operator?.user ?? "";
  url.password = endpoints.nats_operator?.pass ?? "";
  return url.href;
}

const quote = (name: string) => `"${name}"`;
const keyOf = (table: WordTable) => table.columns[0]?.name ?? "";

function rowOf(table: WordTable, key: string, which: 0 | 1): Record<string, unknown> {
  const rest = table.columns.slice(1).map(({ name, spec, values }) => {
    const value = values[which];
    // Values of unique columns differ from row to row.
    return [name, spec.unique === true ? `${value} ${key}` : value];
  });
  return Object.fromEntries([[keyOf(table), key], ...rest]);
}

async function together(work: (table: WordTable) => Promise<void>): Promise<void> {
  const failures: string[] = [];
  for (let at = 0; at < tables.length; at += 8) {
    const part = tables
      .slice(at, at + 8)
      .map((table) => work(table).catch((error: Error) => failures.push(`${table.name}: ${error.message}`)));
    await Promise.all(part);
  }
  expect(failures).toEqual([]);
}

/** The columns that the cache keeps. */
function part(table: WordTable, row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(copied(table).columns.map(({ name }) => [name, row[name] ?? null]));
}

async function untilCopied(table: WordTable, rows: readonly Record<string, unknown>[]): Promise<void> {
  const find = async () => {
    const { rows: found } = await copier.query<{ row: Record<string, unknown> }>(
      `SELECT to_jsonb("$t") AS row FROM ${quote(table.name)} AS "$t" ORDER BY ${quote(keyOf(table))}`,
    );
    return found.map(({ row }) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(table, name, value)])),
    );
  };
  const wanted = rows.map((row) => part(table, row));
  await waitFor(async () => JSON.stringify(sorted(await find())) === JSON.stringify(sorted(wanted)), {
    timeoutMs: 20_000,
    what: "copies",
  }).catch(async () => expect(await find()).toEqual(wanted));
}

const sorted = (rows: readonly Record<string, unknown>[]) =>
  rows.map((row) => Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));

/** As REST writes it. */
function plain(table: WordTable, name: string, value: unknown): unknown {
  const type = table.columns.find((column) => column.name === name)?.type;
  return type === "timestamp" && typeof value === "string"
    ? new Date(`${value}Z`).toISOString().replace("Z", "000Z")
    : value;
}

test("everything compiles under the project's own flags", () => {
  expect(compile(folder)).toBe("");
});

test("rows that REST and SQL write are copied, column by column", async () => {
  await together(async (table) => {
    const created = await call(OWNER, `POST /${table.name}`, rowOf(table, "a", 0));
    expect(created).toEqual(rowOf(table, "a", 0));
    await call(OWNER, `POST /${table.name}`, rowOf(table, "b", 0));
    const row = rowOf(table, "c", 1);
    const columns = table.columns.map(({ name }) => name);
    await owner.query(
      `INSERT INTO ${quote(table.name)} (${columns.map(quote).join(", ")}) VALUES (${columns.map((_, at) => `$${at + 1}`).join(", ")})`,
      table.columns.map(({ name, type }) => (type === "json" ? JSON.stringify(row[name]) : row[name])),
    );
    const { [keyOf(table)]: _, ...patch } = rowOf(table, "b", 1);
    expect(await call(OWNER, `PATCH /${table.name}/b`, patch)).toEqual(rowOf(table, "b", 1));
  });
  await together((table) =>
    untilCopied(table, [rowOf(table, "a", 0), rowOf(table, "b", 1), rowOf(table, "c", 1)]),
  );
});

test("every column filters, and a list has every column", async () => {
  await together(async (table) => {
    const all = await call(OWNER, `GET /${table.name}`);
    expect(all).toHaveLength(3);
    const row = rowOf(table, "a", 0);
    const filters = table.columns.filter(({ type }) => type !== "json");
    const query = new URLSearchParams(filters.map(({ name }): [string, string] => [name, String(row[name])]));
    for (const [name] of [...query].filter(([name]) => row[name] === null)) query.delete(name);
    expect(await call(OWNER, `GET /${table.name}?${query}`)).toEqual([row]);
    expect(await call(OWNER, `GET /${table.name}/a`)).toEqual(row);
  });
});

/** A command as an operator would run it beside `mesh dev`. */
async function operate(...args: readonly string[]) {
  const { code, stdout, stderr } = await mesh(folder, ...args, "--json");
  return { code, stderr, body: stdout === "" ? undefined : JSON.parse(stdout) };
}

test("verify compares every column, and a resync's snapshot repairs every table", async () => {
  // verify takes seconds to confirm a difference: a few tables stand for all.
  const tampered = new Set(tables.filter((_, at) => at % 12 === 0));
  await together(async (table) => {
    if (!tampered.has(table)) return;
    const [key, ...columns] = copied(table).columns.map(({ name }) => name);
    const { rows } = await copier.query(
      `DELETE FROM ${quote(table.name)} WHERE ${quote(key ?? "")} = 'a' RETURNING 1`,
    );
    expect(rows).toHaveLength(1);
    const texts = columns.filter(
      (name) => table.columns.find((column) => column.name === name)?.type === "json",
    );
    for (const name of texts.slice(0, 1))
      await copier.query(
        `UPDATE ${quote(table.name)} SET ${quote(name)} = '{"tampered": 1}' WHERE ${quote(key ?? "")} = 'b'`,
      );
    await copier
      .query(`INSERT INTO ${quote(table.name)} (${quote(key ?? "")}) VALUES ('z')`)
      .catch(() => undefined);
  });
  const found = await operate("verify");
  expect(found.code).toBe(1);
  type Found = { readonly cache: string; readonly missing: number; readonly extra: number };
  const counts = found.body.caches.map(({ cache, missing, extra }: Found) => [cache, missing, extra]);
  expect(counts.sort()).toEqual(
    tables.map((table) => [table.name, ...(tampered.has(table) ? [1, 1] : [0, 0])]).sort(),
  );
  expect(await operate("resync", COPIER)).toMatchObject({ code: 0 });
  expect(await operate("verify")).toMatchObject({ code: 0 });
}, 180_000);

test("a `when` holds any text, and its event is written for it alone", async () => {
  const { id } = await call(OWNER, "POST /hostile", {});
  for (const [at, text] of HOSTILE.entries())
    await call(OWNER, `PATCH /hostile/${id}`, { [`hostile_${at}`]: text });
  await call(OWNER, `PATCH /hostile/${id}`, { hostile_0: "other" });
  const bare = await bareClient(asOperator(dev));
  const subjects = await waitFor(async () => {
    const stored = await bare.stored(OWNER.toUpperCase(), `${OWNER}.hostile.>`);
    return stored.length >= HOSTILE.length
      ? stored.map(({ subject }) => subject.split(".").at(-1))
      : undefined;
  });
  expect(subjects).toEqual(HOSTILE.map((_, at) => `hostile_${at}`));
  await bare.close();
});

test("a deletion cascades by a column of any name, and inserts that refer to a deleted row are refused", async () => {
  const sharp = SHARP.filter((name) => tables.some((table) => table.name === name));
  const made = await Promise.all(
    sharp.map(
      async (name) =>
        [
          name,
          String(
            (await call(COPIER, `POST /${CASCADED}`, { [name]: "b", [`${name}_id`]: "b" })).reference_id,
          ),
        ] as const,
    ),
  );
  await together(async (table) => {
    const { rowCount } = await owner.query(
      `DELETE FROM ${quote(table.name)} WHERE ${quote(keyOf(table))} = 'b'`,
    );
    expect(rowCount).toBe(1);
    await call(OWNER, `DELETE /${table.name}/a`);
  });
  await together((table) => untilCopied(table, [rowOf(table, "c", 1)]));
  for (const [at, [name, id]] of made.entries()) {
    const found = await call(COPIER, `GET /${CASCADED}?reference_id=${id}`);
    if (at % 2 === 0) expect(found).toMatchObject([{ [name]: null, [`${name}_id`]: "b" }]);
    else expect(found).toEqual([]);
    await expect(call(COPIER, `POST /${CASCADED}`, { [name]: "b" })).rejects.toThrow("409");
  }
});

test("an invalid message becomes a dead letter whatever its entity is called, and can be redriven", async () => {
  const bare = await bareClient(asOperator(dev));
  for (const name of SHARP) await bare.publish(`${OWNER}.${name}.x.created`, "{}");
  await waitFor(async () => (await copier.query("SELECT FROM mesh.dead_letter")).rowCount === SHARP.length, {
    what: "the dead letters",
  });
  expect((await operate("dlq", "list", COPIER)).body.deadLetters).toHaveLength(SHARP.length);
  await bare.close();
});
