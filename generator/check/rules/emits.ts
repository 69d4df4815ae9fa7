import type { Report } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { EventSymbol } from "../../language/symbols.js";
import { changeOfOperation } from "../../vocabulary/changes.js";
import { distinct } from "../repeats.js";
import type { Rule } from "../rule.js";
import { reportMissingTable } from "../table-lookup.js";

/** An event is emitted from a table that its service owns. */
export const checkEmits: Rule = (program, report) => {
  for (const event of program.events) {
    checkEmittingTable(event, program, report);
    checkChange(event, report);
  }
};

function checkEmittingTable(event: EventSymbol, program: Program, report: Report): void {
  const { service, node } = event;
  const written = node?.get.emit?.get.table;
  if (service === undefined || node?.keySpans.emit === undefined) return;
  if (service.external) {
    report("emit-by-external", node.keySpans.emit, { service: service.name });
    return;
  }
  const table = written && reportMissingTable(written, service, program, report);
  if (written === undefined || table?.cacheOf === undefined) return;
  report("emit-on-cache", written.span, { table: table.name, entity: table.cacheOf.text });
}

/** A deletion ends an entity: so one event cannot stand for it and for an insert or update. */
function checkChange({ node, operations, id }: EventSymbol, report: Report): void {
  const on = node?.get.emit?.get.on;
  const said = node?.get.change;
  if (on === undefined || operations.length === 0 || id !== undefined) return;
  const implied = new Set(operations.map((operation) => changeOfOperation[operation]));
  if (on.kind === "list") distinct(on.items, report);
  const isMixed = implied.has("delete") && implied.size > 1;
  const contradicts = said !== undefined && said.value !== "none" && !implied.has(said.value);
  if (isMixed) report("conflicting-change", on.span, { operations, said: undefined });
  else if (contradicts) report("conflicting-change", said.span, { operations, said: said.value });
}
