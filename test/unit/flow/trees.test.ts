import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { compileMesh } from "../../../generator/compile.js";
import { explainEvent } from "../../../generator/flow/explain-event.js";
import { eventPart, openFlow } from "../../../generator/flow/flow.js";
import type { Part } from "../../../generator/flow/part.js";
import { noTreePaint, printTree } from "../../../generator/flow/print-tree.js";
import { impactOf } from "../../../generator/flow/uses.js";
import { readHooks } from "../../../generator/hook-reads/read-hooks.js";
import type { Mesh } from "../../../generator/model/mesh.js";
import { ROOT, readMesh } from "../../support/compile.js";

/*
 * Everything that follows from each event, table and column of the reference mesh and the examples, as it is printed.
 * `UPDATE_SCENARIOS=1` records anew; read what it recorded.
 */

const folder = new URL("../../golden/flow/", import.meta.url);
const isRecording = process.env.UPDATE_SCENARIOS === "1";
const meshes = [
  { name: "reference", path: "mesh.yaml" },
  ...["billing", "iot", "library", "shop"].map((name) => ({ name, path: `examples/${name}/mesh.yaml` })),
];

test.each(meshes)(
  "what follows from each part of $path, with the lines where it is written",
  ({ name, path }) => {
    const text = printAll(path);
    const file = new URL(`${name}.txt`, folder);
    if (isRecording) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, text);
    }
    expect(text, "run with UPDATE_SCENARIOS=1 and review the difference").toBe(
      existsSync(file) ? readFileSync(file, "utf8") : "",
    );
  },
);

test("nothing else stands in the folder of recorded trees", () => {
  expect(readdirSync(folder).sort()).toEqual(meshes.map(({ name }) => `${name}.txt`).sort());
});

function printAll(path: string): string {
  const { mesh, placeOf } = compileMesh(readMesh(path), { file: "mesh.yaml" });
  if (mesh === undefined) throw new Error(`${path} does not compile`);
  const folder = dirname(path);
  const paths = new Map(
    mesh.services
      .map(({ name }) => [name, `hooks/${name}.ts`] as const)
      .filter(([, file]) => existsSync(join(ROOT, folder, file))),
  );
  const files = { read: (file: string) => readFileSync(join(ROOT, folder, file), "utf8") };
  const flow = openFlow(mesh, readHooks(mesh, { paths, files }));
  const printing = {
    flow,
    paint: noTreePaint,
    placeOf: (part: Part) => {
      if (part.kind === "hook" && part.at !== undefined) return `${part.at.file}:${part.at.line}`;
      const at = placeOf(part);
      return at && `mesh.yaml:${at.line}`;
    },
  };
  const events = mesh.events.map(
    (event) => `explain ${eventPart(event).subject}\n${printTree(explainEvent(flow, event), printing)}`,
  );
  const parts = partsOf(mesh).map((part) => `impact\n${printTree(impactOf(flow, part), printing)}`);
  return `${[...events, ...parts].join("\n\n")}\n`;
}

function partsOf(mesh: Mesh): readonly Part[] {
  const services = mesh.services.map(({ name }): Part => ({ kind: "service", service: name }));
  const tables = mesh.databases.flatMap(({ name: database, tables: own }) =>
    own.flatMap(({ name: table, columns }): readonly Part[] => [
      { kind: "table", database, table },
      ...columns.map(({ name: column }): Part => ({ kind: "column", database, table, column })),
    ]),
  );
  return [...services, ...tables];
}
