import type { Report } from "../../diagnostics/report.js";
import { sourceOf } from "../../language/carriers.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol, TableSymbol } from "../../language/symbols.js";
import { findResource } from "../find-resource.js";
import { reportUnknownService } from "../reach.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** A snapshot comes from the entity's owner, from a path that serves the table behind its events. */
export const checkCacheSync: Rule = (program, report) => {
  for (const { table } of allTables(program)) checkSync(table, program, report);
};

function checkSync({ cacheOf, node }: TableSymbol, program: Program, report: Report): void {
  const from = node?.get.sync?.get.from;
  if (cacheOf === undefined || from === undefined) return;
  const owner = program.services.get(cacheOf.value.service);
  const source = program.services.get(from.value);
  if (source === undefined) {
    reportUnknownService(from.value, from.span, program, report);
  } else if (owner !== undefined && owner !== source) {
    report("sync-source", from.span, { from: from.value, entity: cacheOf.text, owner: owner.name });
  } else if (owner !== undefined) {
    checkPath({ cacheOf, node }, owner, program, report);
  }
}

function checkPath(
  { cacheOf, node }: Pick<TableSymbol, "cacheOf" | "node">,
  owner: ServiceSymbol,
  program: Program,
  report: Report,
): void {
  const { get: path, header } = node?.get.sync?.get ?? {};
  if (path === undefined || cacheOf === undefined) return;
  if (header !== undefined && header.value !== "authorization" && !owner.external)
    report("setting-without-effect", header.span, {
      key: header.text,
      reason: `"${owner.name}" is generated, and takes its key in "authorization" alone`,
    });
  const served = findResource({ service: owner, path }, report);
  if (served === undefined) return;
  const source = sourceOf(program.entities.get(cacheOf.text)?.events ?? []);
  const table = served.node?.value;
  if (
    source === undefined ||
    table === undefined ||
    table === source.name ||
    (owner.database?.tables.has(table) !== true && owner.database?.views.has(table) !== true)
  )
    return;
  report("sync-table", path.span, { path: path.value, table, entity: cacheOf.text, source: source.name });
}
