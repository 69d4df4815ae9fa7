import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { ts } from "ts-morph";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileMesh } from "../../generator/compile.js";
import { findNatsServer } from "../../generator/dev/servers/nats-binary.js";
import { renderDiagnostics } from "../../generator/diagnostics/render.js";
import { relation } from "../../generator/migrations/sql-names.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { terminalText } from "../../generator/terminal/paint.js";
import { migrate } from "../../runtime/schema/index.js";
import { emitAll, type Files } from "../support/emitted-files.js";
import { CANARY, UNSEEN } from "../support/hostile-texts.js";
import { silent } from "../support/loggers.js";
import { mutatedMesh } from "../support/mesh-mutations.js";
import { withoutPicture } from "../support/readme-picture.js";
import { startPostgres, type TestPostgres } from "../support/servers.js";
import { sourceAll } from "../support/sourced-env.js";

/*
 * Hostile meshes: what compiles is emitted, and every file is given to its reader (SQL to PostgreSQL, TypeScript to its
 * parser, .env.example to a shell, nats.conf to nats-server), which must take it and do nothing else than it says;
 * what does not compile is told at a place. The same meshes each time; MUTATED_MESHES=10000 tries that many, where
 * else a share is tried, and MUTATED_FROM=5000 begins elsewhere: a failure names its mesh.
 */

const COUNT = Number(process.env.MUTATED_MESHES ?? 100);
const FROM = Number(process.env.MUTATED_FROM ?? 0);
const BATCH = 50;

const folder = mkdtempSync(join(tmpdir(), "mesh-mutated-"));
let server: TestPostgres;
let client: pg.Client;
let nats: string;
const databases = new Set<string>();

beforeAll(async () => {
  nats = await findNatsServer();
  server = await startPostgres();
  client = await connectTo(await server.createDatabase("mutated"));
  await migrate(client, { migrations: folder, service: "mutated", logger: silent });
});

afterAll(async () => {
  await client?.end();
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function connectTo(connectionString: string): Promise<pg.Client> {
  const opened = new pg.Client({ connectionString });
  await opened.connect();
  return opened;
}

test(`${COUNT} mutated meshes`, { timeout: 60_000 + COUNT * 2_000, retry: 0 }, async () => {
  const counts = { emitted: 0, refused: 0 };
  for (let batch = FROM; batch < FROM + COUNT; batch += BATCH) {
    const emitted: Emitted[] = [];
    for (let seed = batch; seed < Math.min(batch + BATCH, FROM + COUNT); seed += 1) {
      const mesh = readMutated(seed);
      if (mesh === undefined) counts.refused += 1;
      else {
        emitted.push({ seed, mesh, files: await emit(seed, mesh) });
        counts.emitted += 1;
      }
    }
    checkShell(emitted);
    for (const each of emitted) {
      checkTexts(each);
      checkTypeScript(each);
      checkBroker(each);
      await checkSql(each);
    }
  }
  expect(counts.emitted).toBeGreaterThan(COUNT / 4);
  expect(counts.refused).toBeGreaterThan(COUNT / 10);
});

interface Emitted {
  readonly seed: number;
  readonly mesh: Mesh;
  readonly files: Files;
}

const name = (seed: number) => `mesh ${seed} (MUTATED_FROM=${seed} MUTATED_MESHES=1)`;

/** Undefined when the mesh was refused with diagnostics. */
function readMutated(seed: number): Mesh | undefined {
  const text = mutatedMesh(seed);
  const { mesh, diagnostics } = compileMesh(text, { file: "mesh.yaml" });
  const shown = terminalText(renderDiagnostics(diagnostics), false);
  expect(UNSEEN.exec(shown)?.[0], name(seed)).toBeUndefined();
  if (mesh !== undefined) return mesh;
  expect(diagnostics.length, name(seed)).toBeGreaterThan(0);
  for (const { message, start } of diagnostics) {
    expect(message, name(seed)).not.toMatch(/undefined|\[object|NaN|TypeError/);
    expect(start.line, name(seed)).toBeGreaterThan(0);
  }
  return undefined;
}

async function emit(seed: number, mesh: Mesh): Promise<Files> {
  try {
    return await emitAll(mesh);
  } catch (cause) {
    throw new Error(`${name(seed)} cannot be emitted`, { cause });
  }
}

/** True for a text that was not checked yet: most files of thousands of meshes are the same. */
function openNews(): (text: string) => boolean {
  const seen = new Set<string>();
  return (text) => !seen.has(text) && seen.add(text) !== undefined;
}

function checkShell(emitted: readonly Emitted[]): void {
  const sourced = sourceAll(emitted.map(({ files }) => files[".env.example"] ?? ""));
  for (const [at, { seed, mesh }] of emitted.entries()) {
    const { ran, variables } = sourced[at] ?? { ran: "nothing was read", variables: {} };
    expect(ran, name(seed)).toBe("");
    expect(variables, name(seed)).not.toHaveProperty(CANARY);
    for (const variable of uniformVariables(mesh)) {
      if (!/\p{Cc}|\p{Cf}/u.test(variable.example.replaceAll(/[\n\r\t]/g, "")))
        expect(variables[variable.name], name(seed)).toBe(variable.example);
    }
  }
}

/** Required ones that one service reads: their examples stand in the file ready to be used. */
function uniformVariables({
  services,
}: Mesh): readonly { readonly name: string; readonly example: string }[] {
  const all = services.filter(({ external }) => !external).flatMap(({ environment }) => environment);
  return all.flatMap(({ name: variable, required, example }) =>
    required && example !== undefined && all.filter((other) => other.name === variable).length === 1
      ? [{ name: variable, example }]
      : [],
  );
}

const isNewText = openNews();

function checkTexts({ seed, files }: Emitted): void {
  for (const [path, text] of Object.entries(files)) {
    if (!isNewText(text)) continue;
    const shown = path === ".env.example" ? text.replaceAll(/[\r\u2028\u2029]/g, "") : text;
    expect(UNSEEN.exec(shown)?.[0], `${path} of ${name(seed)}`).toBeUndefined();
    if (path.endsWith(".json")) JSON.parse(text);
    if (path === "README.md") checkMarkdown(text, seed);
  }
}

function checkMarkdown(text: string, seed: number): void {
  let columns = 0;
  for (const line of withoutPicture(text).split("\n").slice(1)) {
    if (!line.startsWith("|")) {
      columns = 0;
      expect(line.replaceAll(/`[^`]*`/g, ""), name(seed)).not.toMatch(
        /<(?!\/?code>)|(?<!\\)!?\[(?!subjects|plan|\.env|nats|roles|monitoring)/,
      );
      continue;
    }
    const cells = line.replaceAll(/\\[^\n]/g, "").split("|").length;
    if (columns === 0) columns = cells;
    expect(cells, `${line} of ${name(seed)}`).toBe(columns);
  }
}

const isNewSource = openNews();

function checkTypeScript({ seed, files }: Emitted): void {
  for (const [path, text] of Object.entries(files)) {
    if (!path.endsWith(".ts") || !isNewSource(text)) continue;
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    const { parseDiagnostics = [] } = source as unknown as { parseDiagnostics?: readonly ts.Diagnostic[] };
    expect(
      parseDiagnostics.map(({ messageText }) => messageText),
      `${path} of ${name(seed)}`,
    ).toEqual([]);
    if (text.includes(CANARY))
      expect(identifiersOf(source), `${path} of ${name(seed)}`).not.toContain(CANARY);
  }
}

function identifiersOf(source: ts.SourceFile): readonly string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) found.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const isNewConfiguration = openNews();

function checkBroker({ seed, files }: Emitted): void {
  const configuration = files["nats.conf"] ?? "";
  if (!isNewConfiguration(configuration)) return;
  const file = join(folder, "nats.conf");
  writeFileSync(file, configuration);
  const passwords = [...configuration.matchAll(/\$(\w+_PASSWORD)\b/g)].map(([, variable]) => [
    variable,
    "secret",
  ]);
  const { status, stderr } = spawnSync(nats, ["-t", "-c", file], {
    encoding: "utf8",
    env: Object.fromEntries(passwords),
  });
  expect(status, `${stderr} of ${name(seed)}`).toBe(0);
}

const isNewSql = openNews();

/** The SQL of each service in a transaction that is rolled back: it stays within it, and leaves nothing of anybody else's. */
async function checkSql({ seed, mesh, files }: Emitted): Promise<void> {
  const rolesSql = files["roles.sql"] ?? "";
  for (const { name: database, service, roles, tables, shared } of mesh.databases) {
    // Migrations of tables that exist commit in between, and want the tables.
    if (tables.some(({ existing }) => existing)) continue;
    const host = shared?.with ?? database;
    const migrations = Object.entries(files)
      .filter(([path]) => path.startsWith(`${service}/`) && path.endsWith(".sql"))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      // The mesh is in one schema here; that of a database which another shares has a name of its own.
      .map(([, sql]) => (shared === undefined ? sql : sql.replaceAll(shared.schema, "mesh")));
    const names = tables.map((table) => client.escapeLiteral(relation(table)));
    const text = [
      ...migrations,
      rolesSql.replaceAll("current_database()", () => client.escapeLiteral(host)),
      `SELECT mesh.grant_service(${client.escapeLiteral(roles.service)}, ARRAY[${names.join(", ")}]::TEXT[])`,
    ].join("\n");
    if (!isNewSql(text)) continue;
    if (!databases.has(host)) await server.createDatabase(host);
    databases.add(host);
    await runSql(text, `${service} of ${name(seed)}`);
  }
}

async function runSql(text: string, what: string): Promise<void> {
  const transaction = async () =>
    (await client.query<{ id: string }>("SELECT pg_current_xact_id()::text AS id")).rows[0]?.id;
  await client.query("BEGIN");
  try {
    const before = await transaction();
    await client.query(text).catch((cause: unknown) => {
      throw new Error(`${what}: PostgreSQL refuses its SQL: ${String(cause)}`, { cause });
    });
    expect(await transaction(), `${what}: its SQL ended the transaction`).toBe(before);
    const { rows } = await client.query(
      `SELECT relname::text AS name FROM pg_class WHERE relname = $1
       UNION ALL SELECT rolname FROM pg_roles WHERE rolname = $1`,
      [CANARY],
    );
    expect(rows, what).toEqual([]);
  } finally {
    await client.query("ROLLBACK");
  }
}
