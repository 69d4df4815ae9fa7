import { readFileSync } from "node:fs";
import { HOOKS_FOLDER, type HookFile } from "../../check/hook-files.js";
import type { HookReads, HookRemark } from "../../flow/hook-reads.js";
import type { Mesh } from "../../model/mesh.js";
import { withProgress } from "../../terminal/terminal.js";
import { readHookFiles } from "../read-hook-files.js";

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
    return readHooks(mesh, { paths: pathsOf(mesh, sources), files: { read: readText } });
  });
  return { answer: ask(hooks), remarks: hooks.remarks };
}

function mentionsAny(text: string, names: ReadonlySet<string>): boolean {
  return [...names].some((name) => new RegExp(`\\b${name}\\b`).test(text));
}

/** As a service that runs from TypeScript looks for them. */
function pathsOf(mesh: Mesh, sources: readonly HookFile[]): ReadonlyMap<string, string> {
  const there = new Set(sources.map(({ name }) => name));
  return new Map(
    mesh.services.flatMap(({ name }) => {
      const file = ["ts", "js"].map((ending) => `${name}.${ending}`).find((each) => there.has(each));
      return file === undefined ? [] : [[name, `${HOOKS_FOLDER}/${file}`] as const];
    }),
  );
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
