import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
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
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

interface Import {
  readonly file: string;
  /** A path from the root without its ending, or the name of a package. */
  readonly target: string;
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
    return { file, target };
  });
}

const files = FOLDERS.flatMap(filesUnder);
const imports = files.filter((file) => /\.ts$/.test(file)).flatMap(importsOf);
const within = (path: string, room: string) => path === room || path.startsWith(`${room}/`);
const broken = (rule: (door: Import) => boolean) =>
  imports.filter(rule).map(({ file, target }) => `${file} imports ${target}`);

test("the imports are found at all", () => {
  expect(imports.length).toBeGreaterThan(200);
  expect(imports.some(({ target }) => target === "runtime/broker/broker")).toBe(true);
});

test("generator and runtime never import each other; only the cli loads the runtime's public face", () => {
  expect(broken(({ file, target }) => within(file, "runtime") && within(target, "generator"))).toEqual([]);
  expect(broken(({ file, target }) => within(file, "generator") && within(target, "runtime"))).toEqual([]);
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator") &&
        !within(file, "generator/cli") &&
        !within(file, "generator/dev") &&
        target.startsWith("meshwright"),
    ),
  ).toEqual([]);
});

test("emit sees only the model", () => {
  const rooms = ["source", "language", "check", "diagnostics", "cli", "dev"].map(
    (room) => `generator/${room}`,
  );
  expect(
    broken(
      ({ file, target }) => within(file, "generator/emit") && rooms.some((room) => within(target, room)),
    ),
  ).toEqual([]);
});

test("the compiler is pure: only the cli touches the process, the disk and the network", () => {
  const effects =
    /^(node:)?(fs|fs\/promises|child_process|net|http|https|process|os|cluster|worker_threads)$/;
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generator") &&
        !within(file, "generator/cli") &&
        !within(file, "generator/dev") &&
        effects.test(target),
    ),
  ).toEqual([]);
});

test("generated code sees only the runtime's public face and its own siblings", () => {
  expect(
    broken(
      ({ file, target }) =>
        within(file, "generated") && target !== "meshwright/runtime" && !within(target, "generated"),
    ),
  ).toEqual([]);
});

test("nothing imports the cli but itself and tests", () => {
  const mayUse = ["generator/cli", "generator/dev", "test", "bench"];
  expect(
    broken(
      ({ file, target }) => within(target, "generator/cli") && !mayUse.some((room) => within(file, room)),
    ),
  ).toEqual([]);
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
