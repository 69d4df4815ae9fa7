import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { ts } from "ts-morph";

/*
 * Words that mean something to what runs a mesh: PostgreSQL, TypeScript, JavaScript's objects, and our own SQL.
 * Each is a name that mesh.yaml may use.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Files whose SQL runs with the mesh's tables in its search path. */
const SQL_SOURCES = [
  "templates/sql",
  "generator/emit/sql",
  "runtime/inbox",
  "runtime/consumer",
  "runtime/resync",
  "runtime/cascade",
  "runtime/database",
  "runtime/http",
  "runtime/operate",
  "runtime/outbox",
  "runtime/repository",
  "runtime/schema",
  "simulator",
];

const STRINGS = /`[^`]*`|"[^"\n]*"|'[^'\n]*'/g;
const LOOKS_LIKE_SQL = /\b(SELECT|INSERT|UPDATE|DELETE|FROM|JOIN|WHERE|WITH|CREATE|RETURNING|AS)\b/;

/** Every lower-case word of our SQL: aliases, names of common table expressions, variables, columns, functions. */
export function wordsOfOurSql(): readonly string[] {
  const words = new Set<string>();
  for (const folder of SQL_SOURCES) {
    for (const name of readdirSync(join(ROOT, folder))) {
      if (!/\.(ts|hbs)$/.test(name)) continue;
      const text = readFileSync(join(ROOT, folder, name), "utf8");
      const strings = name.endsWith(".hbs") ? [text] : (text.match(STRINGS) ?? []);
      for (const sql of strings.filter((string) => LOOKS_LIKE_SQL.test(string)))
        for (const word of sql.match(/\b[a-z][a-z0-9_]*\b/g) ?? []) words.add(word);
    }
  }
  return [...words].sort();
}

/** The server's own list of keywords, reserved or not. */
export async function wordsOfSql(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ word: string }>("SELECT word FROM pg_get_keywords() ORDER BY 1");
    return rows.map(({ word }) => word);
  } finally {
    await client.end();
  }
}

export function wordsOfTypeScript(): readonly string[] {
  const words: string[] = [];
  for (let kind = ts.SyntaxKind.FirstKeyword; kind <= ts.SyntaxKind.LastKeyword; kind += 1)
    words.push(ts.tokenToString(kind) ?? "");
  return words;
}

/** Names that every object, function or promise has, and those that a printer or a caller looks for. */
export function wordsOfObjects(): readonly string[] {
  const known = [Object.prototype, Function.prototype, Promise.prototype, Array.prototype];
  return [
    ...known.flatMap((one) => Object.getOwnPropertyNames(one)),
    "toJSON",
    "prototype",
    "undefined",
    "arguments",
    "eval",
  ];
}

export function globals(): readonly string[] {
  return Object.getOwnPropertyNames(globalThis);
}

/** Types that generated files import, and those that the language brings along. */
export const TYPES =
  "Array BeforeContext BeforeDelete Boolean CascadeDefinition ConsumedEvent ConsumerDefinition Date DeliveryDefinition Error EventDefinition Exclude Function Handler HandlerContext Logger Map MeshEvent Metadata NaN Number Object Omit Partial Patch Payload Pick Promise PublishedEvent ReadRepository Readonly Record Repository Required RegExp ServiceDefinition ServiceFactory Set StartContext StartHook StreamDefinition String Symbol SyncDefinition TableDefinition Tx URL Validator Then Constructor".split(
    " ",
  );

/** Those that no column may have: PostgreSQL gives every table columns of these names. */
export const SYSTEM_COLUMNS: ReadonlySet<string> = new Set([
  "tableoid",
  "xmin",
  "cmin",
  "xmax",
  "cmax",
  "ctid",
]);

/** Names that stand, or stood, beside a mesh's in some statement, and a few of every other kind: tables, entities and keys are called so. */
export const SHARP =
  `after arrived before born class constructor current_user default entity_id event excluded fresh given key mesh
  listed mesh_told new_event new_rows numbered old_rows order r row s select state t told user v verify_found written`.split(
    /\s+/,
  );
