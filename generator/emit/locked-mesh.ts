import type { Mesh } from "../model/mesh.js";
import { fingerprint, type Origin } from "./lock.js";

export type LockedMesh = { readonly mesh: Mesh } | { readonly problem: string };

/**
 * The model of the last run. Its fingerprint shows that it is as this generator wrote it: of another generator it might
 * have another shape, and a merge may have put together what no run ever saw. `problem` ends a sentence about the file.
 */
export function readLockedMesh(text: string, { version, templates }: Omit<Origin, "mesh">): LockedMesh {
  const lock = parse(text);
  if (lock === undefined || lock.model === undefined)
    return { problem: "is no lock that `mesh generate` has left" };
  if (lock.generator !== version) {
    return { problem: `was written by meshwright ${lock.generator}, and this is ${version}` };
  }
  // What it holds has been JSON before: the same text comes of it.
  const mesh = lock.model as Mesh;
  return lock.fingerprint === fingerprint({ mesh, version, templates })
    ? { mesh }
    : { problem: "is not as one run of this generator has left it: a merge or another build has touched it" };
}

interface Parsed {
  readonly generator: string;
  readonly fingerprint?: unknown;
  readonly model?: unknown;
}

function parse(text: string): Parsed | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { generator: "of no version", ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
