import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeFolder } from "./folders.js";
import { type Row, row } from "./row.js";
import type { Bench } from "./section.js";

/* What an edit of mesh.yaml costs whoever waits for it. */

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "generator/bin/mesh.js");

/** From the save of an edit to the end of the run that it sets off, in a process that watches, and what one more event touches. */
export async function measureEdits({ rounds }: Bench, name: string, mesh: string): Promise<readonly Row[]> {
  const folder = makeFolder();
  mkdirSync(join(folder, "generated"));
  const save = (text: string) => writeFileSync(join(folder, "mesh.yaml"), text);
  save(mesh);
  const child = spawn(process.execPath, [cli, "generate", "--watch", "--json"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    const next = openResults(child);
    await next();
    const edits: number[] = [];
    // The first edit is warm-up: nothing has been printed twice before it.
    for (let round = 0; round <= rounds; round += 1) {
      // The watcher gathers what is saved within a moment.
      await sleep(200);
      const started = performance.now();
      save(mesh.replace("    http:", `    description: "Edit ${round}."\n    http:`));
      await next();
      if (round > 0) edits.push(performance.now() - started);
    }
    await sleep(200);
    save(mesh);
    await next();
    await sleep(200);
    save(mesh.replace("subjects:\n", `subjects:\n${ADDED}`));
    const { written } = await next();
    return [
      row({
        what: `watch, one edit, ${name}`,
        unit: "ms",
        samples: edits,
        goal: { of: "value", atMost: 150 },
      }),
      row({
        what: `files that one more event touches, ${name}`,
        unit: "files",
        samples: [written.length],
        goal: { of: "value", atMost: 6 },
      }),
    ];
  } finally {
    child.kill();
    await once(child, "close");
  }
}

/** An event that nobody hears, as all of the last service, and that no table implies. */
const ADDED = "  svc24.item.{id}.counted: { event: Svc24ItemCounted, payload: { item_id: nanoid } }\n";

interface Result {
  readonly written: readonly string[];
}

/** One JSON document per run. */
function openResults(child: ChildProcess): () => Promise<Result> {
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  return async () => {
    while (!text.endsWith("\n}\n")) await once(child.stdout ?? child, "data");
    const result = JSON.parse(text) as Result;
    text = "";
    return result;
  };
}

/** The TypeScript compiler over all that is emitted, under the flags that the README promises. */
export function measureTypeCheck({ rounds }: Bench, name: string, mesh: string): readonly Row[] {
  const folder = makeFolder();
  mkdirSync(join(folder, "generated"));
  writeFileSync(join(folder, "mesh.yaml"), mesh);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const flags = { extends: join(root, "tsconfig.base.json"), compilerOptions: { noEmit: true } };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ ...flags, include: ["generated"] }));
  run(folder, cli, "generate");
  const samples = Array.from({ length: rounds }, () => {
    const started = performance.now();
    run(folder, join(root, "node_modules/typescript/bin/tsc"), "-p", ".");
    return (performance.now() - started) / 1000;
  });
  // A quarter of what the code takes that an AsyncAPI generator emits for as many events.
  const goal = { of: "value", atMost: 3.5 } as const;
  return [row({ what: `type check of what is emitted, ${name}`, unit: "s", samples, goal })];
}

function run(folder: string, ...words: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`${words.join(" ")} failed in the bench: ${stdout}${stderr}`);
}
