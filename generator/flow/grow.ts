import type { Branch, Link } from "./branch.js";
import type { Flow } from "./flow.js";
import { keyOf, type Part } from "./part.js";

/** A tree while it grows. What follows from a part is told once: where it comes again, that stands above, or it is a loop. */
export interface TreeContext {
  readonly flow: Flow;
  /** What follows from a part. */
  readonly follow: (context: TreeContext, part: Part) => readonly Branch[];
  /** Whether to say what becomes of an event that a service fails to apply. */
  readonly tellsFailures: boolean;
  /** The parts that have been told, and whether anything follows from them. */
  readonly told: Map<string, boolean>;
  /** From the root down to where it grows. */
  readonly path: readonly string[];
}

/** A link with everything that follows from its part. */
export function grow(context: TreeContext, link: Link): Branch {
  return growAs(context, link, { key: keyOf(link.to), follow: (inner) => inner.follow(inner, link.to) });
}

interface Occurrence {
  /** By which it is known again. */
  readonly key: string;
  readonly follow: (context: TreeContext) => readonly Branch[];
}

/** A link with what follows from something that happens to its part. */
export function growAs(context: TreeContext, link: Link, { key, follow }: Occurrence): Branch {
  if (context.path.includes(key)) return { ...link, next: [], told: "loop" };
  const known = context.told.get(key);
  if (known !== undefined) return { ...link, next: [], told: known ? "above" : undefined };
  const next = follow({ ...context, path: [...context.path, key] });
  context.told.set(key, next.length > 0);
  return { ...link, next, told: undefined };
}

/** A link of which nothing more is told. */
export function leaf(link: Link): Branch {
  return within(link, []);
}

/** A link from which something else follows at each place of the tree. */
export function within(link: Link, next: readonly Branch[]): Branch {
  return { ...link, next, told: undefined };
}
