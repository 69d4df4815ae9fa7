/** One line of the bench: what was measured, the figure, and the budget that it is held against. */
export interface Row {
  readonly what: string;
  readonly value: string;
  readonly budget: string;
  readonly met: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new RangeError("the median of nothing");
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

export function printRows(rows: readonly Row[]): void {
  const width = (of: (row: Row) => string) => Math.max(...rows.map((row) => of(row).length));
  const [what, value] = [width((row) => row.what), width((row) => row.value)];
  for (const row of rows) {
    const verdict = row.budget === "" ? "" : `${row.met ? "within" : "OVER  "} ${row.budget}`;
    process.stdout.write(`${row.what.padEnd(what)}  ${row.value.padStart(value)}  ${verdict}\n`);
  }
}
