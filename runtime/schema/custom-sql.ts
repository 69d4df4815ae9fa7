import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { ClientBase, DatabaseError } from "pg";
import { STATE } from "../database/database-errors.js";
import { isMeshSchema } from "../database/mesh-schema.js";
import { readBefore } from "./head.js";
import { CUSTOM, isCustom, type Migration, MigrationError } from "./ledger.js";
import type { Pending } from "./lineage.js";
import { splitStatements } from "./split-statements.js";

/*
 * SQL that a service has of its own: a folder of numbered files for views, functions, checks and rows to begin with. Each is
 * applied once, behind all generated migrations, or ahead of the one that it says.
 */

const NUMBERED = /^(\d{4})_[A-Za-z0-9_-]+\.sql$/;

/** What is wrong with a folder of such files. */
export interface CustomSqlMistake {
  /** Its name in the folder. */
  readonly file: string;
  readonly line?: number;
  readonly message: string;
  readonly hint: string;
}

/** Names are read in the order of their numbers; `migrations` are the names of the generated ones. */
export function findCustomSqlMistakes(
  files: readonly Pick<Migration, "name" | "text">[],
  migrations: readonly string[],
): readonly CustomSqlMistake[] {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [
    ...numberMistakes(sorted.map(({ name }) => name)),
    ...sorted.flatMap(({ name, text }) => [
      ...transactionMistakes(name, text),
      ...orderMistakes({ name, text, migrations }),
    ]),
  ];
}

function numberMistakes(names: readonly string[]): readonly CustomSqlMistake[] {
  const mistakes: CustomSqlMistake[] = [];
  let last = 0;
  for (const [index, file] of names.entries()) {
    const digits = NUMBERED.exec(file)?.[1];
    const number = Number(digits);
    if (digits === undefined)
      mistakes.push({
        file,
        message: "no number says when it is its turn",
        hint: `call it ${numberText(last + 1)}_what_it_does.sql`,
      });
    else if (number === last)
      mistakes.push({
        file,
        message: `it has the number of ${names[index - 1]}`,
        hint: `give the one that fewer databases have had the next number, ${numberText(highest(names) + 1)}`,
      });
    else if (number !== last + 1)
      mistakes.push({
        file,
        message: `it follows a gap: there is no ${numberText(last + 1)}`,
        hint: `restore the file that is missing, or call this one ${numberText(last + 1)}_… where no database has had it`,
      });
    if (digits !== undefined) last = number;
  }
  return mistakes;
}

function highest(names: readonly string[]): number {
  return Math.max(...names.map((name) => Number(NUMBERED.exec(name)?.[1] ?? 0)));
}

function numberText(number: number): string {
  return String(number).padStart(4, "0");
}

/** What psql does itself, or feeds from its input. */
const OF_PSQL = /^(?:\\\w+|COPY\b[\s\S]*\bFROM\s+STDIN\b)/i;
const CONTROL =
  /^(BEGIN|START\s+TRANSACTION|COMMIT|END|ABORT|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b))\b/i;

function transactionMistakes(file: string, text: string): readonly CustomSqlMistake[] {
  return splitStatements(text).flatMap(({ text: statement, line }) => {
    if (OF_PSQL.test(statement))
      return [
        {
          file,
          line,
          message: "this is for psql alone",
          hint: "write rows with INSERT, and what else is meant in SQL",
        },
      ];
    const word = CONTROL.exec(statement)?.[1]?.toUpperCase();
    if (word === undefined) return [];
    return [
      {
        file,
        line,
        message: `${word.replace(/\s+/g, " ")} would end or begin a transaction, and the file with its line in the ledger is one`,
        hint: 'take it out; what cannot run in a transaction stands behind a line "-- transaction: none"',
      },
    ];
  });
}

function orderMistakes({
  name: file,
  text,
  migrations,
}: Pick<Migration, "name" | "text"> & {
  readonly migrations: readonly string[];
}): readonly CustomSqlMistake[] {
  const before = readBefore(text);
  if (before === undefined || migrations.includes(before)) return [];
  return [
    {
      file,
      line: 1,
      message: `it is to run before ${before}, which is no migration`,
      hint: migrations.length === 0 ? "take the line out" : `the last one is ${migrations.at(-1)}`,
    },
  ];
}

/** The files of a folder, by number. Throws `MigrationError` at the first mistake. */
export async function readCustomSql(
  folder: string,
  names: readonly string[],
  migrations: readonly string[],
): Promise<readonly Migration[]> {
  const files = await Promise.all(
    names
      .filter((name) => name.endsWith(".sql"))
      .sort()
      .map(async (name) => ({
        name,
        text: normalizeSql(await readFile(join(folder, name), "utf8")),
      })),
  );
  const [mistake] = findCustomSqlMistakes(files, migrations);
  const pathOf = (name: string) => {
    const path = join(folder, name);
    const short = relative(process.cwd(), path);
    return short.startsWith("..") ? path : short;
  };
  if (mistake !== undefined) {
    const { file, line, message, hint } = mistake;
    throw new MigrationError(`${pathOf(file)}${line === undefined ? "" : `:${line}`}: ${message}; ${hint}`);
  }
  return files.map(({ name, text }) => ({ name: CUSTOM + name, text, path: pathOf(name) }));
}

/** Behind all others, or ahead of the one that it names; and so all files with lower numbers. */
export function orderPending(generated: readonly Pending[], custom: readonly Pending[]): readonly Pending[] {
  const waiting = [...custom];
  const ordered = generated.flatMap((migration) => {
    const names = [migration, ...migration.includes].map(({ name }) => name);
    const last = waiting.findLastIndex(({ text }) => names.includes(readBefore(text) ?? ""));
    return [...waiting.splice(0, last + 1), migration];
  });
  return [...ordered, ...waiting];
}

/** What may follow from the order of files: what a later migration took away, or cannot change as long as a view stands on it. */
export function orderingHint(file: Migration, { code }: Pick<DatabaseError, "code">): string | undefined {
  if (isCustom(file))
    return code === STATE.undefined_table || code === STATE.undefined_column
      ? 'Where a later migration took it away, this file is to run ahead of that one: a file behind it with the head "-- before: <the migration>" takes it along.'
      : undefined;
  return code === STATE.dependent_objects_still_exist || code === STATE.feature_not_supported
    ? `What depends on it is dropped by a file of SQL of your own with the head "-- before: ${file.name}", and made anew by the next.`
    : undefined;
}

const RELATIONS = `SELECT pg_catalog.format('%I.%I', nspname, relname) AS name FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_catalog.pg_has_role(relowner, 'USAGE') AND nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT ${isMeshSchema("n")}`;

/** What a file may set; a transaction's own settings end with it. */
const SETTINGS = `SELECT name, setting FROM pg_settings
WHERE context IN ('user', 'superuser') AND (name = 'transaction_timeout' OR name NOT LIKE 'transaction\\_%')`;
const PUT_BACK = `SELECT pg_catalog.set_config(name, former.setting, false)
FROM unnest($1::text[], $2::text[]) AS former (name, setting) JOIN pg_settings AS present USING (name)
WHERE present.setting <> former.setting`;

/** At the end of a file's transaction: what it has set, it has set for itself, and the service's role is granted the relations that it made. */
export async function watchSession(client: ClientBase): Promise<() => Promise<void>> {
  const { rows: relations } = await client.query<{ name: string }>(RELATIONS);
  const { rows: settings } = await client.query<{ name: string; setting: string }>(SETTINGS);
  return async () => {
    await client.query("RESET SESSION AUTHORIZATION; RESET ROLE");
    await client.query(PUT_BACK, [settings.map(({ name }) => name), settings.map(({ setting }) => setting)]);
    await client.query(
      `INSERT INTO mesh.custom_relation (name) SELECT name FROM (${RELATIONS}) AS found WHERE name <> ALL ($1) ON CONFLICT DO NOTHING`,
      [relations.map(({ name }) => name)],
    );
  };
}

/** The text of a file as it is run: without a byte order mark, and with Unix's line ends. */
export function normalizeSql(text: string): string {
  return text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
}
