import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { beforeAll, expect, test } from "vitest";
import * as yaml from "yaml";
// @ts-expect-error: a script of the build, without types.
import { yieldNothing } from "../../../generator/yield-nothing.js";

/* The bundle's lexer and parser yield nothing, and must find what the library's find: token for token, broken texts included. */

let bundled: Pick<typeof yaml, "Lexer" | "Parser">;

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: 'export { Lexer, Parser } from "yaml"', resolveDir: process.cwd() },
    alias: { yaml: fileURLToPath(new URL("browser/index.js", import.meta.resolve("yaml/package.json"))) },
    plugins: [yieldNothing],
    bundle: true,
    format: "esm",
    write: false,
  });
  bundled = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]?.text ?? "")}`);
});

function read({ Lexer, Parser }: typeof bundled, text: string) {
  const parser = new Parser();
  const tokens: yaml.CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) tokens.push(...parser.next(lexeme));
  return [...tokens, ...parser.end()];
}

const STRANGE = `%YAML 1.2
--- # a comment
? [a, "b\\
  c"]
: &anchor !!str 'it''s'
block: |+
  kept

folded: >-2
   x
- *anchor
{ open: [1, 2
...
--- !t
x: y: z
\t@
`;

test("the bundle reads every mesh of this repository, cut anywhere, as the library does", () => {
  const meshes = ["mesh.yaml", ...readdirSync("examples").map((name) => join("examples", name, "mesh.yaml"))];
  const whole = [...meshes.map((path) => readFileSync(path, "utf8")), STRANGE];
  const cut = whole.flatMap((text) => {
    const step = Math.ceil(text.length / 150);
    return Array.from({ length: 150 }, (_, at) => text.slice(at * step, at * step + 700));
  });
  for (const text of [...whole, ...cut]) expect(read(bundled, text)).toEqual(read(yaml, text));
});
