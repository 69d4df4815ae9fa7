import type { ClientBase } from "pg";
import { checksum, type Migration, MigrationError } from "./ledger.js";
import type { Pending } from "./lineage.js";
import { isFiller, tokens } from "./split-statements.js";

/** A part of a file that is one transaction, or whose statements commit one by one. */
export interface Stage {
  readonly transaction: boolean;
  /** With empty lines before it in place of what precedes it: lines count as in the file. */
  readonly text: string;
}

const BOUNDARY = /^-- transaction: (one|none)$/;

/** A file without boundaries is one transaction. */
export function splitStages({ sql }: Pick<Pending, "sql">): readonly Stage[] {
  const bounds = [...tokens(sql)].flatMap(({ text, index }) => {
    const mode = BOUNDARY.exec(text)?.[1];
    return mode === undefined ? [] : [{ transaction: mode === "one", begin: index }];
  });
  const all = [{ transaction: true, begin: 0 }, ...bounds];
  const stages = all.map(({ transaction, begin }, index) => {
    const before = sql.slice(0, begin).split("\n").length - 1;
    return { transaction, text: "\n".repeat(before) + sql.slice(begin, all[index + 1]?.begin) };
  });
  const filled = stages.filter((stage) => !isComment(stage.text));
  return filled.length > 0 ? filled : stages.slice(0, 1);
}

function isComment(sql: string): boolean {
  return [...tokens(sql)].every(({ text }) => isFiller(text));
}

/** How many stages of a file are done, from the first on. Only of files that have several anything is kept. */
export async function readProgress(
  client: ClientBase,
  file: Migration,
  stages: readonly Stage[],
): Promise<number> {
  if (stages.length < 2) return 0;
  const { rows } = await client.query<{ sha256: string; done: number }>(
    "SELECT sha256, done FROM mesh.migration_stage WHERE name = $1",
    [file.name],
  );
  const [progress] = rows;
  if (progress !== undefined && progress.sha256 !== checksum(file.text)) {
    throw new MigrationError(
      `migration ${file.path} has changed since the first ${progress.done} of its stages were applied; restore it from version control`,
    );
  }
  return progress?.done ?? 0;
}

/** Throws where another file than the next one was begun: what it has done so far would be done again. */
export async function checkUnderWay(client: ClientBase, next: Migration | undefined): Promise<void> {
  if (next === undefined) return;
  const { rows } = await client.query<{ name: string }>(
    "SELECT name FROM mesh.migration_stage WHERE name <> $1 ORDER BY name",
    [next.name],
  );
  if (rows[0] === undefined) return;
  throw new MigrationError(
    `migration ${rows[0].name} was begun on this database and not finished, so ${next.path} cannot follow; ` +
      "run the release that has it to its end first",
  );
}

/** In the transaction of the stage where it has one; after the last one nothing is left. */
export async function writeProgress(
  client: ClientBase,
  file: Migration,
  { done, of }: { readonly done: number; readonly of: number },
): Promise<void> {
  if (of < 2) return;
  const text =
    done === of
      ? "DELETE FROM mesh.migration_stage WHERE name = $1"
      : `INSERT INTO mesh.migration_stage (name, sha256, done) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET done = excluded.done`;
  await client.query(text, done === of ? [file.name] : [file.name, checksum(file.text), done]);
}
