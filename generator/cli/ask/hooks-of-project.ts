import type { HookReads, HookRemark } from "../../flow/hook-reads.js";
import type { Mesh } from "../../model/mesh.js";
import { withProgress } from "../../terminal/terminal.js";
import { hookPaths, readHookFiles, readProjectText } from "../read-hook-files.js";

/**
 * What is to be said of a mesh whose hooks count. They are read only where the answer depends on one that some file mentions:
 * TypeScript takes longer to load than everything else.
 */
export async function askWithHooks<T>(
  mesh: Mesh,
  ask: (hooks: HookReads) => T,
): Promise<{ readonly answer: T; readonly remarks: readonly HookRemark[] }> {
  const sources = await readHookFiles({ recursive: true });
  const asked = new Set<string>();
  const probe: HookReads = {
    remarks: [],
    find: ({ name }) => {
      asked.add(name);
      return undefined;
    },
  };
  const answer = ask(probe);
  if (!sources.some(({ text }) => mentionsAny(text, asked))) return { answer, remarks: [] };
  const hooks = await withProgress("reading hooks", async () => {
    const { readHooks } = await import("../../hook-reads/read-hooks.js");
    return readHooks(mesh, { paths: hookPaths(mesh, sources), files: { read: readProjectText } });
  });
  return { answer: ask(hooks), remarks: hooks.remarks };
}

function mentionsAny(text: string, names: ReadonlySet<string>): boolean {
  return [...names].some((name) => new RegExp(`\\b${name}\\b`).test(text));
}
