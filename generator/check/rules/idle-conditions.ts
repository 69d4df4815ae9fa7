import type { Report } from "../../diagnostics/report.js";
import type { ColumnConditionNode } from "../../language/grammar.js";
import type { EventSymbol, TableSymbol } from "../../language/symbols.js";
import { livingValue } from "../living-value.js";
import type { Rule } from "../rule.js";

/** What `when` and `unless` ask can be so or not: it is not settled by what the table and the event are. */
export const checkIdleConditions: Rule = (program, report) => {
  for (const event of program.events) {
    if (event.table === undefined) continue;
    const emit = event.node?.get.emit?.get;
    for (const { name, node: condition } of [
      ...(emit?.when?.entries ?? []),
      ...(emit?.unless?.entries ?? []),
    ]) {
      const settled = condition && settledBy(name.value, condition, { ...event, table: event.table });
      if (settled !== undefined) report("idle-condition", name.span, { column: name.value, ...settled });
    }
    checkUnless(event, report);
  }
};

interface Settled {
  readonly holds: "always" | "never";
  readonly why: string;
}

function settledBy(
  column: string,
  condition: ColumnConditionNode,
  { node, table, operations }: EventSymbol & { readonly table: TableSymbol },
): Settled | undefined {
  if (column === table.softDelete?.value) {
    // Of an update alone another rule says what it is instead.
    if (operations.length > 0 && operations.every((operation) => operation === "update")) return undefined;
    const living = livingValue(table);
    return {
      holds: isMetBy(condition, living) ? "always" : "never",
      why: `the table deletes softly by it, and a row that is told of has ${String(living)} there`,
    };
  }
  if (column === node?.get.emit?.get.at?.value && condition.kind === "mapping")
    return { holds: condition.get.null?.value === true ? "never" : "always", why: "the moment is its value" };
  return undefined;
}

function isMetBy(condition: ColumnConditionNode, value: null | false): boolean {
  if (condition.kind === "mapping") return condition.get.null?.value === (value === null);
  return valuesOf(condition).some((each) => each === value);
}

function valuesOf(condition: Exclude<ColumnConditionNode, { kind: "mapping" }>) {
  return condition.kind === "scalar" ? [condition.value] : condition.items.map(({ value }) => value);
}

/** What the row must hold at the moment, `unless` leaves something of. */
function checkUnless({ node }: EventSymbol, report: Report): void {
  const { when, unless } = node?.get.emit?.get ?? {};
  for (const { name, node: wanted } of when?.entries ?? []) {
    const excluded = unless?.entries.find((entry) => entry.name.value === name.value);
    if (wanted === undefined || excluded?.node === undefined || !excludes(excluded.node, wanted)) continue;
    report("idle-condition", name.span, {
      column: name.value,
      holds: "never",
      why: '"unless" excludes what it asks for',
    });
  }
}

function excludes(excluded: ColumnConditionNode, wanted: ColumnConditionNode): boolean {
  if (wanted.kind === "mapping")
    return excluded.kind === "mapping" && excluded.get.null?.value === wanted.get.null?.value;
  if (excluded.kind === "mapping") return excluded.get.null?.value === false;
  const values = valuesOf(excluded);
  return valuesOf(wanted).every((value) => values.includes(value));
}
