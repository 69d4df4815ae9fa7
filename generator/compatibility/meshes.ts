import type { HookReads } from "../flow/hook-reads.js";
import type { Mesh } from "../model/mesh.js";
import type { Former } from "./former-names.js";

/** What is compared. */
export interface Meshes {
  readonly before: Mesh;
  readonly next: Mesh;
  readonly former: Former;
  /** Of the project as it is; undefined: nobody has looked. */
  readonly hooks: HookReads | undefined;
}

/** Parts of models are plain data, whose keys have one order. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
