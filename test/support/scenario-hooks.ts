import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { HookFile } from "../../generator/check/hook-files.js";

/** The hooks beside a scenario's mesh.yaml; undefined: it has no folder of them, and nobody looks. */
export function readHooks(folder: URL): readonly HookFile[] | undefined {
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder).map((name) => ({ name, text: readFileSync(new URL(name, folder), "utf8") }));
}
