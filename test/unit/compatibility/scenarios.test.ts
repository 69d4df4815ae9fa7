import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compareMeshes } from "../../../generator/compatibility/compare-meshes.js";
import { compile, ROOT, readMesh } from "../../support/compile.js";
import { templates } from "../../support/migrations.js";

/* Every construct of the language in a mesh that is compared: with itself, and with one that has hardly anything in common with it. */

const names = readdirSync(join(ROOT, "test/scenarios/emit"));
const meshes = new Map(
  names.map((name) => [name, compile(readMesh(`test/scenarios/emit/${name}/mesh.yaml`))]),
);

test.each(names.map((name, index) => [name, names.at(index - 1) ?? name]))(
  "mesh diff finds nothing between %s and itself, nor after it was kept as JSON, and ends beside %s",
  (name, other) => {
    const [mesh, another] = [meshes.get(name), meshes.get(other)];
    if (mesh === undefined || another === undefined) throw new Error(`no mesh ${name}`);
    const kept = JSON.parse(JSON.stringify(mesh)) as typeof mesh;
    expect(compareMeshes(kept, mesh, { templates })).toEqual({ changes: [], statements: [], breaks: [] });
    expect(compareMeshes(another, mesh, { templates }).changes.length).toBeGreaterThan(0);
    expect(compareMeshes(mesh, another, { templates }).changes.length).toBeGreaterThan(0);
  },
);
