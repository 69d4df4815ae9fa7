import type { Branch, Link, Tree } from "./branch.js";
import { servicesIn } from "./concerned.js";
import { describe, describeRoot } from "./describe.js";
import type { Flow } from "./flow.js";
import { nameOf, type Part } from "./part.js";

/** Where a part is written, lines and columns from 1. */
export interface Written {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

export interface JsonPart {
  readonly name: string;
  readonly part: Part;
  /** In words, as they are printed. */
  readonly says: string;
  /** Absent: nobody wrote it. */
  readonly at?: Written;
}

export interface JsonLink extends JsonPart {
  readonly how: Link["how"];
  readonly with: readonly string[];
}

export interface JsonBranch extends JsonLink {
  readonly told?: "above" | "loop";
  readonly next: readonly JsonBranch[];
}

export interface JsonTree extends JsonPart {
  readonly services: readonly string[];
  readonly from: readonly JsonLink[];
  readonly next: readonly JsonBranch[];
}

export interface Writing {
  readonly flow: Flow;
  readonly placeOf: (part: Part) => Written | undefined;
}

/** What `--json` prints of a tree. */
export function treeToJson(tree: Tree, writing: Writing): JsonTree {
  return {
    ...partToJson(tree.of, describeRoot(writing.flow, tree).says, writing),
    services: servicesIn(writing.flow, tree),
    from: tree.from.map((link) => linkToJson(link, writing)),
    next: tree.next.map((branch) => branchToJson(branch, writing)),
  };
}

function partToJson(part: Part, says: string, { placeOf }: Writing): JsonPart {
  const at = placeOf(part);
  return { name: nameOf(part), part, says, ...(at && { at }) };
}

function linkToJson(link: Link, writing: Writing): JsonLink {
  const { says } = describe(writing.flow, link);
  return { how: link.how, ...partToJson(link.to, says, writing), with: link.with };
}

function branchToJson(branch: Branch, writing: Writing): JsonBranch {
  return {
    ...linkToJson(branch, writing),
    ...(branch.told !== undefined && { told: branch.told }),
    next: branch.next.map((next) => branchToJson(next, writing)),
  };
}
