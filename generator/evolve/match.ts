import type { Refuse } from "./refusal.js";

interface Named {
  readonly name: string;
  readonly renamedFrom: string | undefined;
}

export interface Matches<T extends Named> {
  readonly kept: readonly { readonly previous: T; readonly next: T }[];
  readonly dropped: readonly T[];
  readonly added: readonly T[];
  /** In an order in which no new name is still in use. */
  readonly renames: readonly { readonly from: string; readonly to: string }[];
}

/**
 * Finds what each thing was called before. `renamed_from` may stay in mesh.yaml for good: it means
 * something only where the old name is still there and the model has not been through this renaming.
 * `what` names the things in a refusal: `column of "users"`.
 */
export function matchNames<T extends Named>(
  previous: readonly T[],
  next: readonly T[],
  what: string,
  refuse: Refuse,
): Matches<T> {
  const before = new Map(previous.map((item) => [item.name, item]));
  const origin = new Map<string, T>();
  for (const item of next) {
    const source = item.renamedFrom === undefined ? undefined : before.get(item.renamedFrom);
    const done = before.get(item.name)?.renamedFrom === item.renamedFrom && before.has(item.name);
    if (source !== undefined && !done) origin.set(item.name, source);
  }
  const renamed = new Set(origin.values());
  for (const item of next) {
    const same = before.get(item.name);
    if (!origin.has(item.name) && same !== undefined && !renamed.has(same)) origin.set(item.name, same);
  }
  const used = new Set(origin.values());
  const kept = next.flatMap((item) => {
    const source = origin.get(item.name);
    return source === undefined ? [] : [{ previous: source, next: item }];
  });
  return {
    kept,
    dropped: previous.filter((item) => !used.has(item)),
    added: next.filter((item) => !origin.has(item.name)),
    renames: orderRenames(
      kept.flatMap((pair) =>
        pair.previous.name === pair.next.name ? [] : [{ from: pair.previous.name, to: pair.next.name }],
      ),
      what,
      refuse,
    ),
  };
}

export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** `a → b, b → c` must free `b` first. Two things that swap names have no such order. */
export function orderRenames(renames: readonly Rename[], what: string, refuse: Refuse): readonly Rename[] {
  const ordered: Rename[] = [];
  let waiting = [...renames];
  while (waiting.length > 0) {
    const occupied = new Set(waiting.map(({ from }) => from));
    const free = waiting.filter(({ to }) => !occupied.has(to));
    if (free.length === 0) {
      const names = waiting.map(({ from, to }) => `${from} to ${to}`).join(", ");
      refuse({
        code: "swap-names",
        message: `each new name of a ${what} is still in use: ${names}`,
        hint: "rename one of them to a third name first, generate, and rename it again in a second migration",
        impossible: true,
      });
      break;
    }
    ordered.push(...free);
    waiting = waiting.filter((rename) => !free.includes(rename));
  }
  return ordered;
}
