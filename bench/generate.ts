import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { measureEdits, measureTypeCheck } from "./editing.js";
import { makeFolder, removeFolders } from "./folders.js";
import { type Row, row } from "./row.js";
import type { Bench, Section } from "./section.js";
import { syntheticMesh } from "./synthetic-mesh.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "generator/bin/mesh.js");

interface Timing {
  readonly seconds: number;
  readonly megabytes: number;
}

/** One whole process of `mesh`, as CI would run it: of `mesh generate` start-up, compile, emit, write. */
function runMesh(folder: string, words: readonly string[] = ["generate"], status = 0): Timing {
  const started = performance.now();
  // The child reports its own peak memory.
  const script = `process.on("exit", () => require("fs").writeSync(3, String(process.resourceUsage().maxRSS)));`;
  const hook = join(folder, "peak.cjs");
  writeFileSync(hook, script);
  const child = spawnSync(process.execPath, ["--require", hook, cli, ...words], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    encoding: "utf8",
  });
  if (child.status !== status)
    throw new Error(`mesh ${words.join(" ")} failed in the bench: ${child.stderr}`);
  return { seconds: (performance.now() - started) / 1000, megabytes: Number(child.output[3]) / 1024 };
}

interface Budget {
  readonly cold: number;
  readonly upToDate: number;
  readonly megabytes?: number;
  readonly linesPerEvent?: number;
}

function measureGenerate(
  { roundsOfMany }: Bench,
  name: string,
  mesh: string,
  budget: Budget,
): readonly Row[] {
  const cold: Timing[] = [];
  const again: Timing[] = [];
  let lines: Lines | undefined;
  for (let round = 0; round < roundsOfMany; round += 1) {
    const folder = makeFolder();
    for (const name of ["generated", "node_modules"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "mesh.yaml"), mesh);
    cold.push(runMesh(folder));
    again.push(runMesh(folder));
    lines ??= countLines(join(folder, "generated"));
  }
  const seconds = (what: string, timings: readonly Timing[], atMost: number) =>
    row({
      what: `generate, ${name}, ${what}`,
      unit: "s",
      samples: timings.map((timing) => timing.seconds),
      goal: { of: "value", atMost },
    });
  return [
    seconds("cold", cold, budget.cold),
    seconds("up to date", again, budget.upToDate),
    ...(budget.megabytes === undefined ? [] : [memoryRow(name, cold, budget.megabytes)]),
    ...(budget.linesPerEvent === undefined || lines === undefined
      ? []
      : [linesRow(name, lines, budget.linesPerEvent)]),
  ];
}

const memoryRow = (name: string, cold: readonly Timing[], atMost: number): Row =>
  row({
    what: `highest memory of generate, ${name}`,
    unit: "MB",
    samples: cold.map(({ megabytes }) => megabytes),
    goal: { of: "value", atMost },
  });

interface Lines {
  readonly events: number;
  /** Of TypeScript and SQL that a person may read. */
  readonly read: number;
}

function countLines(folder: string): Lines {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const isRead = (path: string) => /\.(ts|sql)$/.test(path) && !path.endsWith(".compiled.ts");
  const linesOf = (path: string) => readFileSync(join(folder, path), "utf8").trimEnd().split("\n").length;
  return {
    events: paths.filter((path) => path.endsWith(".schema.json") && path.startsWith("schemas")).length,
    read: paths.filter(isRead).reduce((sum, path) => sum + linesOf(path), 0),
  };
}

/** Without compiled validators, which nobody reads. */
function linesRow(name: string, lines: Lines, atMost: number): Row {
  return row({
    what: `emitted lines per event, ${name}`,
    unit: "lines",
    samples: [lines.read / lines.events],
    goal: { of: "value", atMost },
  });
}

/** The commands that only look at the mesh, after an edit that breaks a consumer. */
function measureQuestions({ rounds }: Bench, name: string, mesh: string, atMost: number): readonly Row[] {
  const folder = makeFolder();
  writeFileSync(join(folder, "before.yaml"), mesh);
  writeFileSync(join(folder, "mesh.yaml"), mesh.replace("name: string", "name: string, state: string"));
  const questions = [
    { words: ["check"], status: 0 },
    { words: ["diff", "--against", "before.yaml"], status: 1 },
    { words: ["impact", "svc0.items.name"], status: 0 },
  ];
  return questions.map(({ words, status }) =>
    row({
      what: `${words[0]}, ${name}`,
      unit: "s",
      samples: Array.from({ length: rounds }, () => runMesh(folder, words, status).seconds),
      goal: { of: "value", atMost },
    }),
  );
}

export const generate: Section = {
  name: "generate",
  about: `\`mesh generate\` and the commands that only look, each as a whole process, as CI would run it, over the sizes of mesh that the
goals name.`,
  measure: async (bench) => {
    try {
      return await measureSizes(bench);
    } finally {
      removeFolders();
    }
  },
};

async function measureSizes(bench: Bench): Promise<readonly Row[]> {
  const reference = readFileSync(join(root, "mesh.yaml"), "utf8");
  const hundred = syntheticMesh({ services: 25, eventsPerService: 4 });
  const thousand = syntheticMesh({ services: 250, eventsPerService: 4 });
  const largest = syntheticMesh({ services: 1000, eventsPerService: 3 });
  const first = measureGenerate(bench, "reference mesh", reference, { cold: 0.8, upToDate: 0.2 });
  if (bench.form === "smoke") return first;
  return [
    ...first,
    ...measureGenerate(bench, "100 events", hundred, { cold: 1.0, upToDate: 0.25, linesPerEvent: 60 }),
    ...measureQuestions(bench, "100 events", hundred, 0.3),
    ...(await measureEdits(bench, "100 events", hundred)),
    ...(bench.form === "short"
      ? []
      : [
          ...measureGenerate(bench, "1,000 events", thousand, { cold: 4, upToDate: 0.5, megabytes: 400 }),
          ...measureQuestions(bench, "1,000 events", thousand, 0.8),
          ...measureTypeCheck(bench, "1,000 events", thousand),
          ...measureGenerate(bench, "1,000 services, 3,000 events", largest, {
            cold: 12,
            upToDate: 1,
            megabytes: 400,
          }),
        ]),
  ];
}
