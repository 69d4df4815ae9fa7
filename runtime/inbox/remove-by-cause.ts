import { escapeIdentifier, escapeLiteral, type PoolClient } from "pg";
import { arrayType, columnOf } from "../database/columns.js";
import { relationOf } from "../database/relation.js";
import { NO_CAUSE, type TransactionCause } from "../telemetry/transaction-cause.js";
import { arrayLiteral } from "../values/array-literal.js";
import { cascade } from "./cascade-statement.js";
import { type ConsumerModel, cascadesOf } from "./consumer-model.js";
import { type Incoming, printedCause } from "./parse.js";
import type { Statement } from "./row-statements.js";
import { removeEntities } from "./write-rows.js";

/*
 * The removals of a batch, so that each event that a cascade emits names the deletion that caused it: one statement for all would not
 * tell. Deletions that nothing here refers to, by far the most, stay together.
 */

export interface Removals {
  /** By entity, the event of each. */
  readonly removals: ReadonlyMap<string, Incoming>;
  /** Left as it is. */
  readonly cause: TransactionCause;
}

/** As `removeEntities`, each entity's cascades with its own event as their cause. */
export async function removeByCause(
  client: PoolClient,
  model: ConsumerModel,
  { removals, cause }: Removals,
): Promise<void> {
  const ids = [...removals.keys()];
  const isKnown = () => [...removals.values()].every((event) => printedCause(event) === cause.current);
  if (cascadesOf(model).length > 0 && !isKnown()) {
    const named = await namedEntities(client, model, ids);
    for (let from = 0; from < named.length; from += IN_ONE_SCRIPT)
      await cascadeEach(client, model, { ids: named.slice(from, from + IN_ONE_SCRIPT), removals, cause });
  }
  await removeEntities(client, model, ids);
}

/** Which of the entities rows here refer to. None is added meanwhile: the guard's rows are locked. */
async function namedEntities(
  client: PoolClient,
  model: ConsumerModel,
  ids: readonly string[],
): Promise<readonly string[]> {
  const perRule = cascadesOf(model).map(({ table, column }, index) => {
    const type = arrayType(columnOf(table, column));
    return `SELECT "$ids".id FROM unnest($1::text[], $${index + 2}::${type}) AS "$ids" (id, "$value")
WHERE EXISTS (SELECT FROM ${relationOf(table)} AS "$t" WHERE "$t".${escapeIdentifier(column)} = "$ids"."$value")`;
  });
  const values = Array.from({ length: perRule.length + 1 }, () => arrayLiteral(ids));
  const { rows } = await client.query<{ id: string }>(perRule.join("\nUNION\n"), values);
  return rows.map(({ id }) => id);
}

/** One round trip each; a script of them stays far below what a server takes at once. */
const IN_ONE_SCRIPT = 250;

/** All rules in the order of mesh.yaml: of rows that refer to each other the same go first as in one statement for all. */
async function cascadeEach(
  client: PoolClient,
  model: ConsumerModel,
  { ids, removals, cause: known }: Removals & { readonly ids: readonly string[] },
): Promise<void> {
  const causes = ids.map((id) => {
    const event = removals.get(id);
    return { id, cause: event === undefined ? NO_CAUSE : printedCause(event) };
  });
  const setting = (cause: string): Statement => ({ text: "SELECT mesh.set_cause($1)", values: [cause] });
  const statements = cascadesOf(model).flatMap((rule) =>
    causes.flatMap(({ id, cause }) => [setting(cause), cascade(rule, model.definition.entity, [id])]),
  );
  await client.query([...statements, setting(known.current)].map(inlined).join(";\n"));
}

/** A statement with its parameters in it, all of them texts: several travel together only so. A quoted name may hold `$1` too. */
export function inlined({ text, values }: Statement): string {
  return text.replaceAll(/"(?:[^"]|"")*"|\$(\d+)/g, (name, number?: string) =>
    number === undefined ? name : escapeLiteral(String(values[Number(number) - 1])),
  );
}
