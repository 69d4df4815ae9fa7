import { cascadeActions } from "@meshwright/runtime/vocabulary";
import { targetOf } from "../../language/cascade-target.js";
import type { CascadeNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";

/**
 * Warns of a rule between tables of one service that a reference could be: until the event has come back from the broker, rows name
 * what is gone. One that no reference can be is right: of what is deleted softly, of tables that migrations leave alone, with a hook.
 */
export const adviseOwnCascades: Rule = (program, report) => {
  for (const rule of program.cascades) {
    const { on, service, before } = rule.get;
    const event = program.subjects.get(on?.text ?? "");
    const source = event?.table;
    if (event === undefined || source === undefined || before !== undefined) continue;
    if (event.service?.name !== service?.value || event.id !== undefined) continue;
    const { action, column } = targetOf(rule) ?? {};
    const table = targetTable(rule, program);
    if (action === undefined || column === undefined || table === undefined) continue;
    const isSoft = source.softDelete !== undefined || table.softDelete !== undefined;
    if (isSoft || table.existing || source.key.length !== 1) continue;
    report("cascade-within-service", column.span, {
      table: table.name,
      column: column.value.column,
      source: source.name,
      event: on?.text ?? "",
      onDelete: cascadeActions[action].removesRows ? "cascade" : "set_null",
    });
  }
};

function targetTable(rule: CascadeNode, program: Program): TableSymbol | undefined {
  const tables = program.services.get(rule.get.service?.value ?? "")?.database?.tables;
  return tables?.get(targetOf(rule)?.column.value.table ?? "");
}
