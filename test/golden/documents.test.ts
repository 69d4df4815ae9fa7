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

test("the README's picture of the reference mesh is the generated one", () => {
  const picture = (path: string) => /```mermaid\n[\s\S]*?```/.exec(read(path))?.[0];
  expect(picture("README.md")).toBe(picture("generated/README.md"));
});
