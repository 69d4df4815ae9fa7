import type { Report } from "../../diagnostics/report.js";
import type { Program, ServiceSymbol, TableSymbol } from "../../language/program.js";
import { reportUnknownService } from "../reach.js";
import type { Rule } from "../rule.js";
import { allTables } from "../tables.js";

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
  const path = node?.get.sync?.get.get;
  if (path === undefined || cacheOf === undefined || owner.external || owner.node === undefined) return;
  const resources = owner.node.get.http?.get.resources;
  if (resources?.poisoned || owner.node.poisoned || owner.node.get.http?.poisoned) return;
  const paths = new Map((resources?.entries ?? []).map((resource) => [resource.name.value, resource]));
  const served = paths.get(path.value);
  if (served === undefined) {
    const clue = report.nearest(path.value, paths, (resource) => resource.name.span);
    report("unknown-resource", path.span, { service: owner.name, path: path.value }, clue);
    return;
  }
  const source = program.entities
    .get(cacheOf.text)
    ?.events.find((event) => event.table !== undefined && event.id === undefined)?.table;
  const table = served.node?.value;
  if (
    source === undefined ||
    table === undefined ||
    table === source.name ||
    !owner.database?.tables.has(table)
  )
    return;
  report("sync-table", path.span, { path: path.value, table, entity: cacheOf.text, source: source.name });
}
