import type { Flow } from "../flow/flow.js";
import type { Mesh } from "../model/mesh.js";
import type { Former } from "./former-names.js";

/** What is compared. */
export interface Meshes {
  readonly before: Mesh;
  readonly next: Mesh;
  readonly former: Former;
  /** Who hears and keeps what, in each of them; by the hooks of the project as it is. */
  readonly flows: { readonly before: Flow; readonly next: Flow };
}

/** Parts of models are plain data, whose keys have one order. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
