import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { HOOKS_FOLDER } from "../../check/hook-files.js";
import type { HookReads, HookRemark } from "../../flow/hook-reads.js";
import type { Mesh } from "../../model/mesh.js";
import { withProgress } from "../../terminal/terminal.js";

/**
 * What is to be said of a mesh whose hooks count. They are read only where the answer depends on one that some file mentions:
 * TypeScript takes longer to load than everything else.
 */
export async function askWithHooks<T>(
  mesh: Mesh,
  ask: (hooks: HookReads) => T,
): Promise<{ readonly answer: T; readonly remarks: readonly HookRemark[] }> {
  const sources = await readHookSources();
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

interface HookSource {
  /** `hooks/sfs.ts` */
  readonly path: string;
  readonly text: string;
}

async function readHookSources(): Promise<readonly HookSource[]> {
  const entries = await readdir(HOOKS_FOLDER, { withFileTypes: true, recursive: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
      throw error;
    },
  );
  const paths = entries
    .filter((entry) => entry.isFile() && /(?<!\.d)\.[jt]s$/.test(entry.name))
    .map((entry) => `${entry.parentPath.replaceAll("\\", "/")}/${entry.name}`)
    .sort();
  return await Promise.all(paths.map(async (path) => ({ path, text: await readFile(path, "utf8") })));
}

function mentionsAny(text: string, names: ReadonlySet<string>): boolean {
  return [...names].some((name) => new RegExp(`\\b${name}\\b`).test(text));
}

/** As a service that runs from TypeScript looks for them. */
function pathsOf(mesh: Mesh, sources: readonly HookSource[]): ReadonlyMap<string, string> {
  const there = new Set(sources.map(({ path }) => path));
  return new Map(
    mesh.services.flatMap(({ name }) => {
      const path = ["ts", "js"]
        .map((ending) => `${HOOKS_FOLDER}/${name}.${ending}`)
        .find((at) => there.has(at));
      return path === undefined ? [] : [[name, path] as const];
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
