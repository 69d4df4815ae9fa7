import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol } from "../../language/symbols.js";
import { EVERY_EVENT_HOOK, eventNames } from "../../model/names.js";
import { hookText } from "../hook-text.js";
import type { HookRule } from "../rule.js";
import { idType } from "../table-lookup.js";
import { columnsNaming, foreignIdsOf, type Heard } from "./foreign-ids.js";

/** Warns of a list of ids of what its service hears the deletions of, where no hook hears them: rules find single ids. */
export const adviseForeignIdLists: HookRule = (program, report, files) => {
  for (const heard of foreignIdsOf(program)) {
    const hook = heard.deletion.name && eventNames(heard.deletion.name.value).hook;
    const hooks = hookText(heard.service.name, files);
    if (hook === undefined || hooks === undefined) continue;
    if (![hook, EVERY_EVENT_HOOK].some((name) => new RegExp(`\\b${name}\\b`).test(hooks)))
      adviseLists(heard, hook, program, report);
  }
};

function adviseLists(heard: Heard, hook: string, program: Program, report: Report): void {
  for (const { table, column } of columnsNaming(heard, program, singularOf)) {
    if (!holdsMany(column, heard)) continue;
    report("foreign-ids-in-list", column.span, {
      column: column.name,
      table: table.name,
      entity: heard.entity.entityName,
      hook,
      isList: column.type !== "json",
    });
  }
}

/** `user_id`, of `user_ids`; undefined: it is no plural. */
function singularOf(name: string): string | undefined {
  return /.ids$/i.test(name) ? name.slice(0, -1) : undefined;
}

function holdsMany({ type }: ColumnSymbol, { key }: Heard): boolean {
  if (type === undefined) return false;
  const { kind, element } = factsOf(type);
  return kind === "document" || (element !== undefined && kindOf(element) === kindOf(idType(key) ?? "text"));
}
