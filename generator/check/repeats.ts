import { groupBy } from "../collections/group-by.js";
import type { Report } from "../diagnostics/report.js";
import type { Span } from "../source/text.js";

interface Repeat<T> {
  readonly value: T;
  readonly first: T;
}

/** Each value that has the key of an earlier one, with the first of them. */
export function repeats<T>(values: Iterable<T>, keyOf: (value: T) => unknown): readonly Repeat<T>[] {
  return [...groupBy(values, keyOf).values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : others.map((value) => ({ value, first })),
  );
}

/** A misspelt name is used many times and is one mistake: keeps the first use of each. */
export function firstOfEach<T>(values: Iterable<T>, keyOf: (value: T) => unknown): readonly T[] {
  return [...groupBy(values, keyOf).values()].flatMap(([first]) => (first === undefined ? [] : [first]));
}

interface Item {
  readonly value: string | number | boolean;
  readonly span: Span;
}

/** Reports what a list says a second time; returns what it says, each once. */
export function distinct<T extends Item>(items: readonly T[], report: Report): readonly T[] {
  for (const { value: item, first } of repeats(items, ({ value }) => value))
    report("repeated-value", item.span, { value: String(item.value) }, { first: first.span });
  return firstOfEach(items, ({ value }) => value);
}
