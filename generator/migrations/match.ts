import { suggest } from "../diagnostics/suggest.js";
import type { PlaceInDatabase, Refuse } from "./refusal.js";

interface Named {
  readonly name: string;
  readonly renamedFrom: string | undefined;
}

export interface Matches<T extends Named> {
  readonly kept: readonly { readonly previous: T; readonly next: T }[];
  readonly dropped: readonly T[];
  readonly added: readonly T[];
  /** In an order in which no new name is still in use. */
  readonly renames: readonly Rename[];
  /** Some `renamed_from` is wrong, and which of `dropped` it means is not clear: they may all be kept. */
  readonly unclear: boolean;
}

/** What is matched, for refusals: `column` ` of "users"`. */
export interface Kind {
  readonly one: "table" | "column";
  readonly of: string;
  /** Where they all stand. */
  readonly within: PlaceInDatabase;
  readonly place: (name: string) => PlaceInDatabase;
}

/**
 * Finds what each thing was called before. `renamed_from` may stay in mesh.yaml for good: it means
 * something only where the old name is still there and the model has not been through this renaming.
 */
export function matchNames<T extends Named>(
  previous: readonly T[],
  next: readonly T[],
  kind: Kind,
  refuse: Refuse,
): Matches<T> {
  const origin = findOrigins(previous, next);
  const names = new Set(previous.map(({ name }) => name));
  let unclear = false;
  for (const item of next) {
    if (item.renamedFrom === undefined || origin.has(item.name)) continue;
    const taken = new Set(origin.values());
    const twin = next.find((other) => origin.get(other.name)?.name === item.renamedFrom);
    if (twin !== undefined && twin.renamedFrom === item.renamedFrom) {
      refuseTwin(item, twin, { kind, refuse });
      unclear = true;
    }
    if (names.has(item.renamedFrom)) continue;
    const left = previous.filter((old) => !taken.has(old)).map(({ name }) => name);
    const meant = left.length === 1 ? left[0] : suggest(item.renamedFrom ?? "", left);
    refuseFormerName(item, { kind, meant, left }, refuse);
    // Compared as if `renamed_from` had said so: then only what else is wrong is reported.
    const source = previous.find(({ name }) => name === meant);
    if (source !== undefined) origin.set(item.name, source);
    else unclear = true;
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
      kind,
      refuse,
    ),
    unclear,
  };
}

function findOrigins<T extends Named>(previous: readonly T[], next: readonly T[]): Map<string, T> {
  const before = new Map(previous.map((item) => [item.name, item]));
  const origin = new Map<string, T>();
  for (const item of next) {
    const source = item.renamedFrom === undefined ? undefined : before.get(item.renamedFrom);
    const done = before.get(item.name)?.renamedFrom === item.renamedFrom && before.has(item.name);
    const shared = source !== undefined && [...origin.values()].includes(source);
    if (source !== undefined && !done && !shared) origin.set(item.name, source);
  }
  const stay = new Set(next.map(({ name }) => name));
  for (const item of next) {
    if (item.renamedFrom === undefined || before.has(item.renamedFrom) || before.has(item.name)) continue;
    // Another branch gave it another new name.
    const twin = previous.find((old) => old.renamedFrom === item.renamedFrom && !stay.has(old.name));
    if (twin !== undefined && ![...origin.values()].includes(twin)) origin.set(item.name, twin);
  }
  const renamed = new Set(origin.values());
  for (const item of next) {
    const same = before.get(item.name);
    if (!origin.has(item.name) && same !== undefined && !renamed.has(same)) origin.set(item.name, same);
  }
  return origin;
}

function refuseTwin(
  { name, renamedFrom }: Named,
  twin: Named,
  { kind, refuse }: { readonly kind: Kind; readonly refuse: Refuse },
): void {
  refuse({
    code: "shared-former-name",
    at: { ...kind.place(name), formerName: true },
    message: `${kind.one} "${name}"${kind.of} says renamed_from: ${renamedFrom}, and so does "${twin.name}"`,
    hint: `one ${kind.one} gets the name and the data; take renamed_from away from the other`,
    impossible: true,
  });
}

interface Guess {
  readonly kind: Kind;
  readonly meant: string | undefined;
  /** Former names that nothing has taken. */
  readonly left: readonly string[];
}

/** A wrong `renamed_from`. Taken as something new, it would lose the data of the old one: `--allow-destructive` does not help. */
function refuseFormerName({ name, renamedFrom }: Named, { kind, meant, left }: Guess, refuse: Refuse): void {
  refuse({
    code: "unknown-former-name",
    at: { ...kind.place(name), formerName: true },
    message: `${kind.one} "${name}"${kind.of} says renamed_from: ${renamedFrom}, but there was no such ${kind.one} before`,
    hint:
      meant !== undefined
        ? `did you mean "${meant}"?`
        : left.length > 0
          ? `these are gone, and one of them may be meant: ${left.join(", ")}`
          : `all that there was still has its name; if the ${kind.one} is new, take renamed_from away`,
    impossible: true,
  });
}

export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** `a → b, b → c` must free `b` first. Two things that swap names have no such order. */
function orderRenames(renames: readonly Rename[], kind: Kind, refuse: Refuse): readonly Rename[] {
  const ordered: Rename[] = [];
  let waiting = [...renames];
  while (waiting.length > 0) {
    const occupied = new Set(waiting.map(({ from }) => from));
    const free = waiting.filter(({ to }) => !occupied.has(to));
    if (free.length === 0) {
      const names = waiting.map(({ from, to }) => `${from} to ${to}`).join(", ");
      refuse({
        code: "swap-names",
        at: kind.within,
        message: `each new name of a ${kind.one}${kind.of} is still in use: ${names}`,
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
