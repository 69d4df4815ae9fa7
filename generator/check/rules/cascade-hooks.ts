import { cascadeActions } from "@meshwright/runtime/vocabulary";
import { targetOf } from "../../language/cascade-target.js";
import type { TextNode } from "../../language/node.js";
import { reservedHook } from "../hook-names.js";
import type { Rule } from "../rule.js";

/** The hooks of a service are one object: a name in it takes rows of one table, and is not taken otherwise. */
export const checkCascadeHooks: Rule = (program, report) => {
  const taken = new Map<string, { readonly table: string; readonly before: TextNode<string> }>();
  for (const rule of program.cascades) {
    const { before, service } = rule.get;
    const target = targetOf(rule);
    if (before === undefined || service === undefined || target === undefined) continue;
    if (!cascadeActions[target.action].removesRows) continue;
    const hook = before.value;
    const use = reservedHook(hook, program);
    if (use !== undefined) report("reserved-name", before.span, { name: hook, use });
    const { table } = target.column.value;
    const first = taken.get(`${service.value} ${hook}`);
    if (first === undefined) taken.set(`${service.value} ${hook}`, { table, before });
    else if (first.table !== table)
      report("hook-conflict", before.span, { hook, table, other: first.table }, { first: first.before.span });
  }
};
