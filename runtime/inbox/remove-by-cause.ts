import { escapeIdentifier, escapeLiteral, type PoolClient } from "pg";
import { arrayType, columnOf } from "../database/columns.js";
import { relationOf } from "../database/relation.js";
import type { CascadeDefinition } from "../definition/consumer-definition.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { NO_CAUSE, type TransactionCause } from "../telemetry/transaction-cause.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { CascadeAction } from "../vocabulary.js";
import { cascade } from "./cascade-statement.js";
import { type ConsumerModel, cascadesOf } from "./consumer-model.js";
import { inlined } from "./inlined.js";
import { type Incoming, printedCause } from "./parse.js";
import type { Statement } from "./row-statements.js";
import { removeEntities } from "./write-rows.js";

/*
 * The removals of a batch, so that each event that a cascade emits names the deletion that caused it: one statement for all would not
 * tell. Stay together: deletions that nothing here refers to, by far the most, rules whose removals no trigger hears of, and tasks of hooks.
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
  if (cascadesOf(model).length === 0) return await removeEntities(client, model, ids);
  const causes = [...removals.values()].map(printedCause);
  if (causes.every((printed) => printed === cause.current)) return await removeEntities(client, model, ids);
  const causeOf = new Map(ids.map((id, index) => [id, causes[index] ?? NO_CAUSE]));
  const named = await namedEntities(client, model, ids);
  const before = async (rule: CascadeDefinition) => {
    const namedHere = named.get(rule) ?? [];
    for (let from = 0; from < namedHere.length; from += IN_ONE_SCRIPT) {
      const part = namedHere.slice(from, from + IN_ONE_SCRIPT);
      await cascadeEach(client, { rule, entity: model.definition.entity, ids: part, causeOf, cause });
    }
  };
  await removeEntities(client, model, ids, { causes, before });
}

/**
 * To which of the entities rows refer whose removal may emit something, by rule. None is added meanwhile: the guard's rows are locked. A rule with a hook
 * before it writes tasks, each with its cause.
 */
async function namedEntities(
  client: PoolClient,
  model: ConsumerModel,
  ids: readonly string[],
): Promise<ReadonlyMap<CascadeDefinition, readonly string[]>> {
  const named = new Map<CascadeDefinition, string[]>();
  const rules = cascadesOf(model).filter(({ before }) => before === undefined);
  if (rules.length === 0) return named;
  const perRule = rules.map(({ table, column, action }, index) => {
    const type = arrayType(columnOf(table, column));
    return `SELECT ${index} AS rule, "$ids".id FROM unnest($1::text[], $${index + 2}::${type}) AS "$ids" (id, "$value")
WHERE ${mayEmit(table, action)}
  AND EXISTS (SELECT FROM ${relationOf(table)} AS "$t" WHERE "$t".${escapeIdentifier(column)} = "$ids"."$value")`;
  });
  const values = Array.from({ length: perRule.length + 1 }, () => arrayLiteral(ids));
  const { rows } = await client.query<{ rule: number; id: string }>(perRule.join("\nUNION ALL\n"), values);
  for (const { rule: index, id } of rows) {
    const rule = rules[index];
    if (rule === undefined) continue;
    const known = named.get(rule);
    if (known === undefined) named.set(rule, [id]);
    else known.push(id);
  }
  return named;
}

/** `pg_trigger.tgtype` */
const ON_DELETE = 8;
const ON_UPDATE = 16;
/** What the triggers run that only refuse. */
const REFUSING = ["guard_update", "refuse_key_change"];
const CHECKING = [
  "RI_FKey_check_upd",
  "RI_FKey_noaction_del",
  "RI_FKey_noaction_upd",
  "RI_FKey_restrict_del",
  "RI_FKey_restrict_upd",
];

/** SQL: a trigger may follow from the action, which may emit an event. A table whose rows are deleted softly is updated. */
function mayEmit(table: TableDefinition, action: CascadeAction): string {
  const bits = action === "set_null" || table.softDelete !== undefined ? ON_UPDATE : ON_DELETE;
  const names = (list: readonly string[]) => list.map((name) => `'${name}'`).join(", ");
  return `EXISTS (SELECT FROM pg_catalog.pg_trigger AS "$trigger" JOIN pg_catalog.pg_proc AS "$function" ON "$function".oid = "$trigger".tgfoid
    WHERE "$trigger".tgrelid = ${escapeLiteral(relationOf(table))}::pg_catalog.regclass AND "$trigger".tgtype & ${bits} <> 0
      AND "$function".proname NOT IN (${names([...REFUSING, ...CHECKING])}))`;
}

/** One round trip each; a script of them stays far below what a server takes at once. */
const IN_ONE_SCRIPT = 250;

interface CascadeEach {
  readonly rule: CascadeDefinition;
  readonly entity: string;
  readonly ids: readonly string[];
  readonly causeOf: ReadonlyMap<string, string>;
  readonly cause: TransactionCause;
}

async function cascadeEach(client: PoolClient, each: CascadeEach): Promise<void> {
  const { rule, entity, ids, causeOf, cause: known } = each;
  const setting = (cause: string): Statement => ({ text: "SELECT mesh.set_cause($1)", values: [cause] });
  const statements = ids.flatMap((id) => [setting(causeOf.get(id) ?? NO_CAUSE), cascade(rule, entity, [id])]);
  await client.query([...statements, setting(known.current)].map(inlined).join(";\n"));
}
