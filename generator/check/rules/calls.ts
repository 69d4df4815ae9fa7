import type { Report } from "../../diagnostics/report.js";
import type { ServiceNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import { impliedUses } from "../../model/build/build-call.js";
import { findResource } from "../find-resource.js";
import { reportUnknownService } from "../reach.js";
import { distinct } from "../repeats.js";
import type { Rule } from "../rule.js";

/** A call goes to another service, to a path that it serves, with a verb that it takes there; and is said once. */
export const checkCalls: Rule = (program, report) => {
  for (const caller of program.services.values()) {
    for (const { name: callee, node: paths } of caller.node?.get.calls?.entries ?? []) {
      const target = program.services.get(callee.value);
      const without = (reason: string) =>
        report("setting-without-effect", callee.span, { key: callee.value, reason });
      if (target === undefined) reportUnknownService(callee.value, callee.span, program, report);
      else if (target === caller) without("a service needs no leave to use what it owns");
      else if (paths?.entries.length === 0) without("it names no path");
      else checkPaths({ caller, callee: target, paths }, program, report);
    }
  }
};

interface Called {
  readonly caller: ServiceSymbol;
  readonly callee: ServiceSymbol;
  /** Under the callee's name; undefined: misread. */
  readonly paths: NonNullable<ServiceNode["get"]["calls"]>["entries"][number]["node"];
}

function checkPaths({ caller, callee, paths }: Called, program: Program, report: Report): void {
  const synced = impliedUses(caller, program).filter(
    (use) => use.callee === callee.name && use.reason === "sync",
  );
  for (const { name: path, node: verbs } of paths?.entries ?? []) {
    const resource = findResource({ service: callee, path }, report);
    const { tables, views } = callee.database ?? {};
    const table = resource?.node && tables?.get(resource.node.value);
    const isView = resource?.node !== undefined && views?.has(resource.node.value) === true;
    for (const { value: verb, span } of distinct(verbs?.items ?? [], report)) {
      if (verb === "get" && synced.some((use) => use.path === path.value))
        report("setting-without-effect", span, { key: verb, reason: "its copies are filled from there" });
      else if (verb !== "get" && (table?.cacheOf !== undefined || isView))
        report("call-of-copy", span, {
          verb,
          path: path.value,
          service: callee.name,
          entity: table?.cacheOf?.text,
        });
    }
  }
}
