import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/*
 * The rooms and their doors. A failure names the file and the import: move the code, not the rule.
 */

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDERS = [
  "generator",
  "runtime",
  "simulator",
  "generated",
  "hooks",
  "test",
  "bench",
  "templates",
  ".ci",
];

function filesUnder(folder: string): string[] {
  const entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((file) => !/^[^/]+\/dist\//.test(file));
}

interface Import {
  readonly file: string;
  /** A path from the root without its ending, or the name of a package. */
  readonly target: string;
  /** Of types alone: nothing is left of it when the code runs. */
  readonly isOfTypes: boolean;
}

const IMPORT =
  /(?:^|[;}\s])(?:import|export)\s+(?:type\s+)?(?:[\w*{}\s,$]+?\sfrom\s+)?"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = match[1] ?? match[2] ?? "";
    const target = specifier.startsWith(".")
      ? join(dirname(file), specifier).replace(/\.[jt]s$/, "")
      : specifier;
    return { file, target, isOfTypes: /^\W*import\s+type\s/.test(match[0]) };
  });
}

const files = FOLDERS.flatMap(filesUnder);
const imports = files.filter((file) => /\.ts$/.test(file)).flatMap(importsOf);
const within = (path: string, room: string) => path === room || path.startsWith(`${room}/`);
/** The rooms of the generator that run a mesh, and those that they stand on. */
const RUNS = ["cli", "dev", "project", "terminal"].map((room) => `generator/${room}`);
const isCompiler = (file: string) => within(file, "generator") && !RUNS.some((room) => within(file, room));
const broken = (rule: (door: Import) => boolean) =>
  imports.filter(rule).map(({ file, target }) => `${file} imports ${target}`);

/** Files that reach themselves by their imports, types included, each circle as one list (Tarjan's components). */
function findCircles(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const numbers = new Map<string, number>();
  const open: string[] = [];
  const circles: (readonly string[])[] = [];
  const visit = (file: string): number => {
    numbers.set(file, numbers.size);
    let low = numbers.size - 1;
    open.push(file);
    for (const target of graph.get(file) ?? []) {
      if (!graph.has(target)) continue;
      if (!numbers.has(target)) low = Math.min(low, visit(target));
      else if (open.includes(target)) low = Math.min(low, numbers.get(target) ?? low);
    }
    if (low === numbers.get(file)) {
      const circle = open.splice(open.indexOf(file));
      if (circle.length > 1) circles.push(circle.sort());
    }
    return low;
  };
  for (const file of graph.keys()) if (!numbers.has(file)) visit(file);
  return circles;
}

function graphOf(
  sources: readonly string[],
  follow: (file: string) => readonly Import[],
): ReadonlyMap<string, readonly string[]> {
  return new Map(
    sources.map((file) => [file.replace(/\.ts$/, ""), follow(file).map(({ target }) => target)]),
  );
}

const isEmitted = (file: string) =>
  /\.ts$/.test(file) && (within(file, "generated") || within(file, "test/scenarios"));

test("the imports are found at all", () => {
  expect(imports.length).toBeGreaterThan(200);
  expect(imports.some(({ target }) => target === "runtime/broker/broker")).toBe(true);
});

test("generator and runtime never import each other; the compiler reads the tables of the runtime alone, which import nothing", () => {
  expect(broken(({ file, target }) => within(file, "runtime") && within(target, "generator"))).toEqual([]);
  expect(broken(({ file, target }) => within(file, "generator") && within(target, "runtime"))).toEqual([]);
  const tables = [
    "values/column-types",
    "values/int64",
    "values/version",
    "defaults",
    "vocabulary",
    "broker/monitor-thresholds",
  ];
  const pure = [...tables, "values/column-sql", "values/comparable", "values/object-name"].map(
    (table) => `@meshwright/runtime/${basename(table)}`,
  );
  expect(
    broken(
      ({ file, target }) => isCompiler(file) && target.startsWith("@meshwright/") && !pure.includes(target),
    ),
  ).toEqual([]);
  expect(tables.flatMap((table) => importsOf(`runtime/${table}.ts`))).toEqual([]);
  expect(importsOf("runtime/values/column-sql.ts").map(({ target }) => target)).toEqual([
    "runtime/values/column-types",
  ]);
  expect(importsOf("runtime/values/object-name.ts").map(({ target }) => target)).toEqual(["node:crypto"]);
  expect(importsOf("runtime/values/comparable.ts").map(({ target }) => target)).toEqual([
    "runtime/values/column-types",
    "runtime/values/moment",
  ]);
});

test("packages know each other by name; only the simulate command loads the simulator", () => {
  expect(
    broken(
      ({ file, target }) =>
        target.startsWith("@meshwright/simulator") &&
        file !== "generator/cli/commands/simulate.ts" &&
        !within(file, "generator/cli/simulate"),
    ),
  ).toEqual([]);
  expect(
    broken(({ file, target }) => within(file, "simulator") && /^(runtime|generator)\//.test(target)),
  ).toEqual([]);
});

test("emit sees only the model, what quotes and fills in texts, and the plans of migrations", () => {
  const mayUse = [
    "generator/emit",
    "generator/model",
    "generator/vocabulary",
    "generator/rules",
    "generator/quote",
    "generator/templates",
    "generator/migrations",
    "generator/graph",
  ];
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/emit") &&
        within(target, "generator") &&
        (within(target, "generator/model/build") || !mayUse.some((room) => within(target, room))),
    ),
  ).toEqual([]);
});

test("what follows from what is asked of the model alone", () => {
  const mayUse = ["flow", "model", "vocabulary", "collections", "quote"];
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/flow") &&
        within(target, "generator") &&
        (within(target, "generator/model/build") ||
          !mayUse.some((room) => within(target, `generator/${room}`))),
    ),
  ).toEqual([]);
});

test("a picture is drawn from the model, and from what follows from what", () => {
  const mayUse = ["graph", "flow", "model", "vocabulary", "collections", "quote"];
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/graph") &&
        within(target, "generator") &&
        (within(target, "generator/model/build") ||
          !mayUse.some((room) => within(target, `generator/${room}`))),
    ),
  ).toEqual([]);
});

test("two meshes are compared by their models and by what would be emitted; nothing is said of the command line", () => {
  const mayUse = [
    "compatibility",
    "flow",
    "migrations",
    "emit/sql",
    "emit/json-schema/body",
    "rules",
    "language/words",
    "model",
    "templates",
    "diagnostics",
    "vocabulary",
    "collections",
    "quote",
  ];
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/compatibility") &&
        within(target, "generator") &&
        (within(target, "generator/model/build") ||
          !mayUse.some((room) => within(target, `generator/${room}`))),
    ),
  ).toEqual([]);
});

test("what hooks read is found by the model, by TypeScript, and by the parser of SQL", () => {
  const mayUse = ["hook-reads", "flow", "model", "on-demand"];
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/hook-reads") &&
        within(target, "generator") &&
        (within(target, "generator/model/build") ||
          !mayUse.some((room) => within(target, `generator/${room}`))),
    ),
  ).toEqual([]);
});

test("exports see the model, and what is emitted", () => {
  const mayUse = ["export", "emit", "model", "vocabulary", "collections", "quote"];
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/export") &&
        within(target, "generator") &&
        (within(target, "generator/model/build") ||
          !mayUse.some((room) => within(target, `generator/${room}`))),
    ),
  ).toEqual([]);
  expect(
    broken(({ file, target }) => within(file, "generator/emit") && within(target, "generator/export")),
  ).toEqual([]);
});

test("deployments see the model, and what is emitted", () => {
  const mayUse = ["deploy", "emit", "model", "templates"];
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/deploy") &&
        within(target, "generator") &&
        (within(target, "generator/model/build") ||
          !mayUse.some((room) => within(target, `generator/${room}`))),
    ),
  ).toEqual([]);
});

test("the planner of migrations prints nothing: it knows no emit", () => {
  expect(
    broken(({ file, target }) => within(file, "generator/migrations") && within(target, "generator/emit")),
  ).toEqual([]);
});

test("the language knows no model: its words are below both", () => {
  const mayUse = ["language", "vocabulary", "collections", "source", "diagnostics", "quote", "on-demand"];
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/language") &&
        within(target, "generator") &&
        !mayUse.some((room) => within(target, `generator/${room}`)),
    ),
  ).toEqual([]);
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator/vocabulary") &&
        !within(target, "generator/vocabulary") &&
        target !== "@meshwright/runtime/vocabulary",
    ),
  ).toEqual([]);
});

test("the compiler is pure: only what runs a mesh touches the process, the disk and the network", () => {
  const effects =
    /^(node:)?(fs|fs\/promises|child_process|module|net|http|https|process|os|cluster|worker_threads)$/;
  // The one door through which a package is loaded by the first that needs it.
  const door = "generator/on-demand.ts";
  expect(
    broken(
      ({ file, target }) =>
        isCompiler(file) && effects.test(target) && !(file === door && target === "node:module"),
    ),
  ).toEqual([]);
});

test("generated code sees only the runtime's public face and its own siblings", () => {
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generated") && target !== "@meshwright/runtime" && !within(target, "generated"),
    ),
  ).toEqual([]);
});

test("nothing imports the cli but itself and its own tests", () => {
  const mayUse = ["generator/cli", "test"];
  expect(
    broken(
      ({ file, target }) => within(target, "generator/cli") && !mayUse.some((room) => within(file, room)),
    ),
  ).toEqual([]);
});

test("no file takes part in an import circle", () => {
  const rooms = ["generator", "runtime", "simulator", "test", "bench"];
  const sources = files.filter((file) => /\.ts$/.test(file) && rooms.some((room) => within(file, room)));
  expect(
    findCircles(
      graphOf(
        sources.filter((file) => !isEmitted(file)),
        importsOf,
      ),
    ),
  ).toEqual([]);
  // What ajv compiled is typed by the interfaces that stand beside its user.
  const ofValues = (file: string) => importsOf(file).filter(({ isOfTypes }) => !isOfTypes);
  expect(findCircles(graphOf(files.filter(isEmitted), ofValues))).toEqual([]);
});

/**
 * Rooms of the runtime, each above those that it may import. The definitions and the files beside the rooms (subjects, pauses,
 * back-off) belong to all of them.
 */
const LAYERS = [
  "values",
  "text",
  "telemetry",
  "database",
  "broker",
  "schema",
  "outbox",
  "inbox",
  "resync",
  "consumer",
  "stateless",
  "cascade",
  "repository",
  "http",
  "operate",
  "service",
];
const layerOf = (path: string) => LAYERS.findIndex((room) => within(path, `runtime/${room}`));

test("each room of the runtime has its place among the layers", () => {
  const rooms = new Set(
    files.filter((file) => /^runtime\/\w+\/.+\.ts$/.test(file)).map((file) => file.split("/")[1]),
  );
  expect([...rooms].filter((room) => room !== "dist" && room !== "node_modules").sort()).toEqual(
    [...LAYERS, "definition"].sort(),
  );
});

test("a room of the runtime imports only rooms below it", () => {
  expect(
    broken(({ file, target }) => {
      const [from, to] = [layerOf(file), layerOf(target)];
      return from !== -1 && to > from;
    }),
  ).toEqual([]);
});

test.each(["generator", "runtime", "simulator"])("in %s no two files have one name", (room) => {
  const names = files
    .filter((file) => within(file, room) && /\.ts$/.test(file))
    .map((file) => basename(file));
  const twice = names.filter((name, at) => name !== "index.ts" && names.indexOf(name) !== at);
  expect(twice).toEqual([]);
});

test("the NATS client stays in one room, so that it can be replaced", () => {
  expect(
    broken(
      ({ file, target }) =>
        within(file, "runtime") && /^(nats$|@nats-io\/)/.test(target) && !within(file, "runtime/broker"),
    ),
  ).toEqual([]);
  expect(
    broken(
      ({ file, target }) => (within(file, "generator") || within(file, "generated")) && target === "nats",
    ),
  ).toEqual([]);
});

test("no file leans on what lies outside the repository", () => {
  const outside = [["..", "shared"].join("/"), ["/work", ""].join("/")];
  const leaning = files.filter((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    return outside.some((path) => text.includes(path));
  });
  expect(leaning).toEqual([]);
});
