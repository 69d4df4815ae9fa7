import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median, type Row } from "./report.js";
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

function measure(
  name: string,
  mesh: string,
  budget: { cold: number; upToDate?: number; megabytes?: number; linesPerEvent?: number },
): Row[] {
  const cold: Timing[] = [];
  const again: Timing[] = [];
  let lines: Lines | undefined;
  for (let round = 0; round < 3; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), "meshwright-bench-"));
    try {
      mkdirSync(join(folder, "generated"));
      writeFileSync(join(folder, "mesh.yaml"), mesh);
      cold.push(runMesh(folder));
      again.push(runMesh(folder));
      lines ??= countLines(join(folder, "generated"));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const peak = Math.round(median(cold.map((run) => run.megabytes)));
  return [
    {
      what: `generate, ${name}, cold`,
      value: `${median(cold.map((run) => run.seconds)).toFixed(2)} s, ${peak} MB`,
      budget: `≤ ${budget.cold} s${budget.megabytes === undefined ? "" : `, ${budget.megabytes} MB`}`,
      met:
        median(cold.map((run) => run.seconds)) <= budget.cold &&
        peak <= (budget.megabytes ?? Number.POSITIVE_INFINITY),
    },
    {
      what: `generate, ${name}, up to date`,
      value: `${median(again.map((run) => run.seconds)).toFixed(2)} s`,
      budget: budget.upToDate === undefined ? "" : `≤ ${budget.upToDate} s`,
      met: budget.upToDate === undefined || median(again.map((run) => run.seconds)) <= budget.upToDate,
    },
    ...(budget.linesPerEvent === undefined || lines === undefined
      ? []
      : [linesRow(name, lines, budget.linesPerEvent)]),
  ];
}

interface Lines {
  readonly events: number;
  /** Of TypeScript and SQL that a person may read. */
  readonly read: number;
  readonly migrations: number;
  /** Of roles and grants, which grow with services and not with events. */
  readonly rights: number;
  /** The validators that ajv has compiled. */
  readonly compiled: number;
}

function countLines(folder: string): Lines {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const count = (matches: (path: string) => boolean) =>
    paths
      .filter(matches)
      .reduce((sum, path) => sum + readFileSync(join(folder, path), "utf8").trimEnd().split("\n").length, 0);
  const isCompiled = (path: string) => path.endsWith(".compiled.ts");
  return {
    events: paths.filter((path) => path.endsWith(".schema.json") && path.startsWith("schemas")).length,
    read: count((path) => /\.(ts|sql)$/.test(path) && !isCompiled(path)),
    migrations: count((path) => path.includes("migrations") && path.endsWith(".sql")),
    rights: count((path) => /(roles|grants)\.sql$/.test(path)),
    compiled: count(isCompiled),
  };
}

function linesRow(name: string, lines: Lines, budget: number): Row {
  const per = (count: number) => (count / lines.events).toFixed(1);
  return {
    what: `emitted lines per event, ${name}`,
    value: `${per(lines.read)} (${per(lines.migrations)} migrations, ${per(lines.rights)} roles and grants; beside them ${per(lines.compiled)} of compiled validators)`,
    budget: `≤ ${budget}`,
    met: lines.read / lines.events <= budget,
  };
}

/** The commands that only look at the mesh, after an edit that breaks a consumer. */
function measureQuestions(name: string, mesh: string, budget: number): Row[] {
  const folder = mkdtempSync(join(tmpdir(), "meshwright-bench-"));
  try {
    writeFileSync(join(folder, "before.yaml"), mesh);
    writeFileSync(join(folder, "mesh.yaml"), mesh.replace("name: string", "name: string, state: string"));
    const questions = [
      { words: ["check"], status: 0 },
      { words: ["diff", "--against", "before.yaml"], status: 1 },
      { words: ["impact", "svc0.items.name"], status: 0 },
    ];
    return questions.map(({ words, status }) => {
      const seconds = median([1, 2, 3].map(() => runMesh(folder, words, status).seconds));
      return {
        what: `${words[0]}, ${name}`,
        value: `${seconds.toFixed(2)} s`,
        budget: `≤ ${budget} s`,
        met: seconds <= budget,
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `mesh generate` and the commands that only look, each as a whole process, over the sizes of mesh that the budgets name. */
export function benchGenerate(): Row[] {
  const reference = readFileSync(join(root, "mesh.yaml"), "utf8");
  const hundred = syntheticMesh({ services: 25, eventsPerService: 4 });
  return [
    ...measure("reference mesh", reference, { cold: 0.8, upToDate: 0.25 }),
    ...measure("100 events", hundred, { cold: 1.0, linesPerEvent: 60 }),
    ...measureQuestions("100 events", hundred, 0.3),
    ...measure("1,000 events", syntheticMesh({ services: 250, eventsPerService: 4 }), {
      cold: 4,
      megabytes: 400,
    }),
    ...measure("1,000 services, 3,000 events", syntheticMesh({ services: 1000, eventsPerService: 3 }), {
      cold: 12,
    }),
  ];
}
