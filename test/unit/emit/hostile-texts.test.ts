import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { outputOf } from "../../support/generated-output.js";
import { HOSTILE } from "../../support/mesh-of-words.js";

/*
 * Descriptions and values that would end what they are quoted in: a comment, a cell, a line of a shell.
 */

const folder = mkdtempSync(join(tmpdir(), "mesh-texts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const variables = Object.fromEntries(HOSTILE.map((text, at) => [`V${at}`, text]));
const output = await outputOf(
  stringify({
    mesh: "texts",
    services: {
      shop: {
        database: "shop_db",
        publishes: ["shop.*"],
        environment: {
          ...Object.fromEntries(
            Object.entries(variables).map(([name, example]) => [
              name,
              { required: true, example, description: example },
            ]),
          ),
          ...Object.fromEntries(HOSTILE.map((text, at) => [`D${at}`, { default: text, description: text }])),
        },
      },
    },
    databases: {
      shop_db: {
        tables: Object.fromEntries(
          HOSTILE.map((description, at) => [
            `t${at}`,
            { description, columns: { id: { type: "nanoid", key: true, description } } },
          ]),
        ),
      },
    },
    subjects: Object.fromEntries(
      HOSTILE.map((description, at) => [
        `shop.t${at}.{id}.made`,
        { event: `T${at}Made`, description, payload: { id: "nanoid" } },
      ]),
    ),
  }),
);

test(".env.example says to a shell what mesh.yaml says, and nothing that is commented out", () => {
  const file = join(folder, "env");
  writeFileSync(file, output[".env.example"] ?? "");
  const script = `set -a; . "$1"; exec ${process.execPath} -e 'process.stdout.write(JSON.stringify(process.env))'`;
  const { stdout, stderr } = spawnSync("sh", ["-euc", script, "sh", file], { encoding: "utf8", env: {} });
  expect(stderr).toBe("");
  const read = JSON.parse(stdout) as Record<string, string>;
  expect(Object.fromEntries(Object.keys(variables).map((name) => [name, read[name]]))).toEqual(variables);
  expect(Object.keys(read).filter((name) => /^D\d/.test(name))).toEqual([]);
});

describe("README.md", () => {
  const lines = (output["README.md"] ?? "").split(/\r\n|[\r\n]/);
  const columns = (line: string) => line.match(/(?:\\.|[^|\\])+/g)?.length ?? 0;

  test.each(HOSTILE.map((text, at) => [JSON.stringify(text), at] as const))("a cell holds %s", (_, at) => {
    const row = lines.filter((line) => line.startsWith(`| \`shop.t${at}.`));
    expect(row).toHaveLength(1);
    expect(columns(row[0] ?? "")).toBe(3);
    expect(row[0]).not.toMatch(/<\/?script/);
  });
});
