import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/*
 * The documents against the tree: every link leads somewhere, every path that is named exists, and every box of a picture
 * is a function that its file exports.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const inFolder = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
const documents = [...inFolder("."), ...inFolder("docs"), "generated/README.md"];
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** As GitHub makes them: lower case, spaces to dashes, without what is no word. */
const anchorsOf = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

test.each(documents)("every link of %s leads somewhere", (document) => {
  const links = [...read(document).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = ""]) => link);
  const broken = links.filter((link) => {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? document : join(dirname(document), path);
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && target.endsWith(".md") && !anchorsOf(read(target)).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test.each(documents)("every path that %s names exists", (document) => {
  const rooms = ["generator", "runtime", "simulator", "templates", "test", "bench", "docs"];
  const named = [...read(document).matchAll(/`((?:[\w.-]+\/)+[\w.-]*)`/g)]
    .map(([, path = ""]) => path)
    .filter((path) => rooms.some((room) => path.startsWith(`${room}/`)));
  // docs/reliability.md and docs/security.md name tests from test/ on.
  const exists = (path: string) => existsSync(join(ROOT, path)) || existsSync(join(ROOT, "test", path));
  expect(named.filter((path) => !exists(path))).toEqual([]);
});

test("every box of a picture in docs/architecture.md is a function that its file exports", () => {
  const boxes = [...read("docs/architecture.md").matchAll(/"([\w./-]+\.ts)<br>(\w+)/g)];
  expect(boxes.length).toBeGreaterThan(10);
  const missing = boxes.filter(([, file = "", name = ""]) => {
    if (!existsSync(join(ROOT, file))) return true;
    return !new RegExp(`^export (?:async )?(?:function\\*?|const) ${name}\\b`, "m").test(read(file));
  });
  expect(missing.map(([, file, name]) => `${file}: ${name}`)).toEqual([]);
});

test("every function of docs/architecture.md's index stands in the file beside it", () => {
  const text = read("docs/architecture.md");
  const index = text.slice(text.indexOf("## Where is what"), text.indexOf("## From YAML to file"));
  const named = [...index.matchAll(/`([\w./-]+\.ts)`: ((?:`[\w.]+`(?:, )?)+)/g)].flatMap(
    ([, file = "", names = ""]) =>
      [...names.matchAll(/`([\w.]+)`/g)].map(([, name = ""]) => ({ file, name })),
  );
  expect(named.length).toBeGreaterThan(20);
  const stands = ({ file, name }: { file: string; name: string }) =>
    existsSync(join(ROOT, file)) &&
    new RegExp(`^(?:export (?:async )?(?:function|const)|CREATE FUNCTION) ${name}\\b`, "m").test(read(file));
  expect(named.filter((one) => !stands(one))).toEqual([]);
});

test("docs/architecture.md tells the states of a consumer and their transitions as the code has them", () => {
  const code = read("runtime/consumer/consumer-state.ts");
  const text = read("docs/architecture.md");
  const union = code.slice(code.indexOf("export type ConsumerState"));
  const kinds = [...union.slice(0, union.indexOf(";\n\n")).matchAll(/kind: "([\w-]+)"/g)].map(
    ([, kind]) => kind,
  );
  const told = [...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, kind]) => kind);
  expect(told.filter((kind) => kinds.includes(kind))).toEqual(kinds);
  const diagram = /stateDiagram-v2\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
  const transitions = [...diagram.matchAll(/: (.+)$/gm)].flatMap(([, names = ""]) => names.split(", "));
  const functions = new Set(
    [...code.matchAll(/^export function (\w+)\(\s*state: ConsumerState\b/gm)].map(([, name = ""]) => name),
  );
  expect([...new Set(transitions)].filter((name) => !functions.has(name))).toEqual([]);
});
