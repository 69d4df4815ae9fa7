import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Finding, Tried } from "./try-mesh.js";

export interface FuzzOptions {
  readonly from: number;
  readonly count: number;
  readonly processes: number;
  readonly onFinding?: (finding: Finding) => void;
  readonly onTried?: (tried: number) => void;
}

export interface FuzzReport {
  readonly tried: number;
  /** Of those that compile everything is asked. */
  readonly valid: number;
  readonly findings: readonly Finding[];
}

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
/** By the clock of a busy machine: its child is killed then. */
const MOST_MS = 120_000;

/** Tries the mutated meshes of these seeds in processes of their own. */
export async function fuzzMeshes(options: FuzzOptions): Promise<FuzzReport> {
  const { from, count, processes, onFinding, onTried } = options;
  const findings: Finding[] = [];
  let [next, tried, valid] = [from, 0, 0];
  const work = async () => {
    let child = openChild();
    try {
      while (next < from + count) {
        const seed = next;
        next += 1;
        const result = await child.try(seed);
        if (result.died) {
          child.end();
          child = openChild();
        }
        tried += 1;
        if (result.valid) valid += 1;
        findings.push(...result.findings);
        for (const finding of result.findings) onFinding?.(finding);
        onTried?.(tried);
      }
    } finally {
      child.end();
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
  return { tried, valid, findings: findings.toSorted((one, other) => one.seed - other.seed) };
}

function openChild() {
  const folder = mkdtempSync(join(tmpdir(), "mesh-fuzz-"));
  const child: ChildProcess = fork(CHILD, {
    cwd: folder,
    // Not the arguments of a test runner that this process may be part of.
    execArgv: ["--import", import.meta.resolve("tsx")],
    env: { PATH: process.env.PATH, NO_COLOR: "1", GIT_CEILING_DIRECTORIES: tmpdir() },
  });
  return {
    async try(seed: number): Promise<Tried & { readonly died: boolean }> {
      const ended = (problem: string) => ({
        valid: false,
        died: true,
        findings: [{ seed, base: "", command: "mesh", problem }],
      });
      return await new Promise((resolve) => {
        const late = setTimeout(() => settle(ended(`did not end within ${MOST_MS} ms`)), MOST_MS);
        const onMessage = (tried: Tried) => settle({ ...tried, died: false });
        const onExit = (code: number | null) => settle(ended(`its process ended with ${code}`));
        const settle = (result: Tried & { readonly died: boolean }) => {
          clearTimeout(late);
          child.off("message", onMessage).off("exit", onExit);
          resolve(result);
        };
        child.once("message", onMessage).once("exit", onExit);
        child.send(seed);
      });
    },
    end() {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
