/*
 * How far SQL can say a rule: a condition that every value which keeps the rule meets, and whether that is the
 * whole of the rule.
 */

export interface Translation {
  /** Hold together; none: no value is refused. */
  readonly conditions: readonly string[];
  /** No value breaks the rule at all where these hold. */
  readonly exact: boolean;
  /** Holds for no value. */
  readonly never?: true;
}

export const UNTRANSLATED: Translation = { conditions: [], exact: false };
const ALWAYS: Translation = { conditions: [], exact: true };
const NEVER: Translation = { conditions: [], exact: true, never: true };

export function exactly(condition: string | boolean): Translation {
  if (typeof condition === "string") return { conditions: [condition], exact: true };
  return condition ? ALWAYS : NEVER;
}

export function allOf(parts: readonly Translation[]): Translation {
  if (parts.some((part) => part.never)) return NEVER;
  return {
    conditions: [...new Set(parts.flatMap(({ conditions }) => conditions))],
    exact: parts.every(({ exact }) => exact),
  };
}

/** Untranslated unless each part is exact: a part that is not might hold where its condition does not. */
export function anyOf(parts: readonly Translation[]): Translation {
  if (!parts.every(({ exact }) => exact)) return UNTRANSLATED;
  const possible = parts.filter((part) => !part.never);
  const [only] = possible;
  if (only === undefined) return NEVER;
  if (possible.some(isAlways)) return ALWAYS;
  return possible.length === 1 ? only : exactly(possible.map((part) => `(${together(part)})`).join(" OR "));
}

export function oneOf(parts: readonly Translation[]): Translation {
  if (!parts.every(({ exact }) => exact)) return UNTRANSLATED;
  const counted = parts.filter((part) => !part.never);
  if (counted.length < 2) return anyOf(counted);
  return exactly(`${counted.map((part) => `(${together(part)})::int`).join(" + ")} = 1`);
}

export function not(part: Translation): Translation {
  if (!part.exact) return UNTRANSLATED;
  if (part.never) return ALWAYS;
  return isAlways(part) ? NEVER : exactly(`NOT (${together(part)})`);
}

function isAlways({ conditions, exact, never }: Translation): boolean {
  return exact && never === undefined && conditions.length === 0;
}

/** As one condition. */
export function together({ conditions }: Translation): string {
  return conditions.length === 0 ? "TRUE" : conjunction(conditions);
}

export function conjunction(conditions: readonly string[]): string {
  return conditions.length === 1
    ? (conditions[0] ?? "")
    : conditions.map((each) => `(${each})`).join(" AND ");
}
