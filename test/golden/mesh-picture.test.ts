import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { printGraph } from "../../generator/graph/print-graph.js";
import { compile, ROOT, readMesh } from "../support/compile.js";

/* docs/mesh.svg, which README.md shows, is what `mesh graph` draws. `npm run docs` draws it anew. */

const FILE = join(ROOT, "docs/mesh.svg");

test("docs/mesh.svg is the picture of the reference mesh", async () => {
  const svg = await printGraph(compile(readMesh()), { format: "svg" });
  if (process.env.UPDATE_DOCS === "1") writeFileSync(FILE, svg ?? "");
  expect(readFileSync(FILE, "utf8"), "npm run docs draws it anew").toBe(svg);
});
