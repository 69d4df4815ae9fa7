import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compileMesh } from "../../generator/compile.js";
import type { Coverage, Refusals } from "../../simulator/index.js";
import { ROOT } from "../support/compile.js";
import { makeProject } from "../support/generated-project.js";
import { mesh } from "../support/mesh-command.js";

/*
 * Every construct of mesh.yaml in simulated schedules: each scenario and each example is played, its rows are taken, and events of it
 * are published. That is some five minutes: by default the examples, and what the simulator plays by code of its own and no example has; all of them
 * with SIMULATED_MESHES=all.
 */

const OF_EVERY_RUN =
  /^examples|\/(composite-keys|copies|foreign-envelopes|named-consumers|occurrences|shared-database|soft-deletion|without-database)$/;

const meshes = ["test/scenarios/emit", "examples"].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(ROOT, path, "mesh.yaml")))
    .filter((path) => process.env.SIMULATED_MESHES === "all" || OF_EVERY_RUN.test(path)),
);

/** What a scenario names and does not have: hooks that do nothing, a folder of SQL that does nothing. */
function complete(folder: string, text: string): void {
  const { mesh: model } = compileMesh(text, { file: "mesh.yaml" });
  for (const { sql } of model?.databases ?? []) {
    if (sql === undefined || existsSync(join(folder, sql))) continue;
    mkdirSync(join(folder, sql), { recursive: true });
    writeFileSync(join(folder, sql, "0001_nothing.sql"), "SELECT 1;\n");
  }
  for (const { name, names, consumers = [] } of model?.services ?? []) {
    const hooks = consumers.flatMap(({ cascades }) => cascades.flatMap(({ before }) => before ?? []));
    if (hooks.length === 0 || existsSync(join(folder, "hooks", `${name}.ts`))) continue;
    mkdirSync(join(folder, "hooks"), { recursive: true });
    const members = [...new Set(hooks)].map((hook) => `async ${hook}() {}`).join(", ");
    writeFileSync(
      join(folder, "hooks", `${name}.ts`),
      `export const ${names.value}Hooks = { ${members} };\n`,
    );
  }
}

interface Played {
  readonly coverage: Coverage;
  readonly refused: Readonly<Record<string, Refusals>>;
}

test.each(meshes)(
  "%s is simulated: rows are written, events published, every promise kept",
  {
    timeout: 240_000,
  },
  async (path) => {
    const folder = makeProject();
    try {
      cpSync(join(ROOT, path), folder, {
        recursive: true,
        filter: (file) =>
          !/\/(expected|generated|package\.json)(\/|$)/.test(file.slice(join(ROOT, path).length)),
      });
      const text = readFileSync(join(folder, "mesh.yaml"), "utf8");
      complete(folder, text);
      const generated = await mesh(folder, "generate");
      expect(generated.code, generated.stdout + generated.stderr).toBe(0);
      const { code, stdout, stderr } = await mesh(folder, "simulate", "--runs", "6", "--seed", "3", "--json");
      expect(code, stdout.slice(0, 3_000) + stderr).toBe(0);
      const { coverage, refused } = JSON.parse(stdout) as Played;
      expect(refused).toEqual({});
      const published = Object.values(coverage["event published"]);
      if (published.length > 0) expect(published.some((times) => times > 0)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
