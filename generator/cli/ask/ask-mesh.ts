import type { Compilation } from "../../compile.js";
import { suggest } from "../../diagnostics/suggest.js";
import type { Tree } from "../../flow/branch.js";
import { servicesIn } from "../../flow/concerned.js";
import { namesEndingIn, namesOfParts, type PartNames } from "../../flow/find-part.js";
import { type Flow, openFlow } from "../../flow/flow.js";
import type { HookRemark } from "../../flow/hook-reads.js";
import { nameOf, type Part } from "../../flow/part.js";
import { printTree } from "../../flow/print-tree.js";
import { treeToJson, type Written } from "../../flow/tree-to-json.js";
import type { Mesh } from "../../model/mesh.js";
import { MESH_FILE } from "../../project/paths.js";
import { UsageError } from "../../project/usage-error.js";
import { shorten } from "../../quote/visible.js";
import { colour, print, printJson } from "../../terminal/terminal.js";
import { askWithHooks } from "./hooks-of-project.js";
import { tellRemarks } from "./tell-remarks.js";

/** An answer, with what it was asked of. */
export interface Answer {
  readonly flow: Flow;
  readonly tree: Tree;
  /** Hooks of which it is not known what they read. */
  readonly remarks: readonly HookRemark[];
}

/** What a question about the mesh has for an answer, hooks included. */
export async function answer(mesh: Mesh, ask: (flow: Flow) => Tree): Promise<Answer> {
  const { answer: found, remarks } = await askWithHooks(mesh, (hooks) => {
    const flow = openFlow(mesh, hooks);
    return { flow, tree: ask(flow) };
  });
  return { ...found, remarks };
}

/** The part that a word means. Throws `UsageError`, with the nearest name, where there is none; `alsoKnown` are names of what is no part. */
export function findPart(
  flow: Flow,
  word: string,
  alsoKnown: readonly string[] = [],
): { readonly part: Part; readonly others: readonly Part[] } {
  const names = namesOfParts(flow);
  const [part, ...others] = names.get(word.trim()) ?? [];
  if (part !== undefined) return { part, others };
  const within = namesEndingIn(names, word.trim());
  if (within.length > 0)
    throw new UsageError(`"${shorten(word)}" says not of what`, `it may be ${someOf(within)}`);
  const meant = suggest(word, [...names.keys(), ...alsoKnown]);
  throw new UsageError(
    `${MESH_FILE} has no "${shorten(word)}"`,
    meant === undefined
      ? `name a service, subject, entity, field, table, column or path: ${examples(names)}`
      : `did you mean "${meant}"?`,
  );
}

/** As many as a line holds. */
function someOf(names: readonly string[]): string {
  const MOST = 8;
  const rest = names.length - MOST;
  return `${names.slice(0, MOST).join(", ")}${rest > 0 ? ` or ${rest} more` : ""}`;
}

/** The first name of each kind. */
function examples(names: PartNames): string {
  const found = new Map<Part["kind"], string>();
  for (const [name, [part]] of names)
    if (part !== undefined && !found.has(part.kind) && name === nameOf(part)) found.set(part.kind, name);
  return [...found.values()].join(", ");
}

export interface Output extends Answer {
  readonly placeOf: Compilation["placeOf"];
  readonly json: boolean | undefined;
}

const PAINT = { name: colour.bold, lines: colour.dim, place: colour.dim, ending: colour.yellow };

export function printAnswer({ flow, tree, remarks, placeOf, json }: Output): void {
  const written = (part: Part): Written | undefined => {
    if (part.kind === "hook" && part.at !== undefined) return part.at;
    const at = placeOf(part);
    return at && { file: MESH_FILE, ...at };
  };
  if (json) {
    printJson({ ...treeToJson(tree, { flow, placeOf: written }), remarks });
    return;
  }
  const placed = (part: Part) => {
    const at = written(part);
    return at && `${at.file}:${at.line}`;
  };
  print(printTree(tree, { flow, placeOf: placed, paint: PAINT, columns: process.stdout.columns }));
  const services = servicesIn(flow, tree);
  print(colour.dim(`\n${services.length === 1 ? "service" : "services"}: ${services.join(", ")}`));
  tellRemarks(remarks);
}
