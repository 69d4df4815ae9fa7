import type { Figure, Goal, Row, Unit } from "./row.js";

/* How figures read, in a terminal and in docs/performance.md. */

export interface Cells {
  readonly what: string;
  readonly value: string;
  readonly yardstick: string;
  readonly ratio: string;
  readonly goal: string;
}

export function cellsOf({ what, unit, value, yardstick, ratio, goal, met }: Row): Cells {
  const asPercent = ratio !== undefined && isPercent(goal, ratio);
  return {
    what,
    value: figureText(value, (one) => valueText(one, unit)),
    yardstick: yardstick === undefined ? "" : `${yardstick.what}: ${valueText(yardstick.value.median, unit)}`,
    ratio: ratio === undefined ? "" : figureText(ratio, (one) => ratioText(one, asPercent)),
    goal: goal === undefined ? "" : `${goalText(goal, unit, asPercent)} ${met ? "met" : "MISSED"}`,
  };
}

function figureText({ median, low, high }: Figure, text: (one: number) => string): string {
  return low === high ? text(median) : `${text(median)} (${text(low)} to ${text(high)})`;
}

export function valueText(value: number, unit: Unit): string {
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  const number = value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return unit === "/s" ? `${number}/s` : `${number} ${unit}`;
}

/** A share of a whole reads as percent, a multiple as times. */
function isPercent(goal: Goal | undefined, ratio: Figure): boolean {
  const limit = goal?.of === "ratio" ? goal.atLeast : undefined;
  return limit === undefined ? goal === undefined && ratio.median < 1 : limit < 1;
}

function ratioText(ratio: number, asPercent: boolean): string {
  if (asPercent) return `${Math.round(ratio * 100)}%`;
  return `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`;
}

function goalText({ of, atLeast, atMost }: Goal, unit: Unit, asPercent: boolean): string {
  const text = (limit: number) => {
    if (of === "value") return valueText(limit, unit);
    return asPercent ? `${Math.round(limit * 100)}%` : `${limit} ×`;
  };
  return [
    ...(atLeast === undefined ? [] : [`≥ ${text(atLeast)}`]),
    ...(atMost === undefined ? [] : [`≤ ${text(atMost)}`]),
  ].join(", ");
}

export function rowsText(rows: readonly Row[]): string {
  const table = rows.map(cellsOf);
  const columns = ["what", "value", "ratio", "yardstick", "goal"] as const;
  const widths = columns.map((column) => Math.max(0, ...table.map((cells) => cells[column].length)));
  return table
    .map((cells) =>
      columns
        .map((column, at) => cells[column].padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `  ${line}\n`)
    .join("");
}
