import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compareMeshes } from "../../../generator/compatibility/compare-meshes.js";
import type { Mesh } from "../../../generator/model/mesh.js";
import { compile, ROOT, readMesh } from "../../support/compile.js";
import { templates } from "../../support/migrations.js";
import { bases } from "./bases.js";

/*
 * Each member of the model, changed by itself in a mesh that has it: mesh diff says something, or a reason stands here.
 */

const NAME = "follows from the name of what it belongs to";
const PROSE = "no release behaves otherwise by it";
const PATTERN = "follows from subjects and services";
const OWNER = "follows from what the owner serves and how it is called";
const CODE = "of generated code alone: the TypeScript compiler names each place";

/** Members of which mesh diff says nothing by themselves, with what is within them, and why. */
const UNSAID: Readonly<Record<string, string>> = {
  description: PROSE,
  naming: "of services that say nothing else: theirs is looked at",
  types: "said of the payloads that use them",
  streams: "come and go with the services that publish",
  "services[].description": PROSE,
  "services[].naming": "the names of fields and columns on the wire follow from it",
  "services[].publishes": "the subjects of its stream follow from it",
  "services[].subscribes": "its consumers follow from it",
  "services[].stream": NAME,
  "services[].events": PATTERN,
  "services[].names": CODE,
  "services[].http.resources[].readonly": "follows from what is served: a copy, a view",
  "services[].environment[].description": PROSE,
  "services[].environment[].example": PROSE,
  "services[].environment[].builtIn": "what the runtime reads follows from what the service does",
  "services[].consumers[].stream": NAME,
  "services[].consumers[].pattern": "its filter follows from it",
  "services[].consumers[].publisher": PATTERN,
  "services[].consumers[].events": PATTERN,
  "services[].consumers[].cache": "said of the table",
  "services[].consumers[].names": CODE,
  "services[].consumers[].source": OWNER,
  "databases[].urlVariable": NAME,
  "databases[].ownerUrlVariable": NAME,
  "databases[].roles": NAME,
  "databases[].tables[].description": PROSE,
  "databases[].tables[].names": CODE,
  "databases[].tables[].renamedFrom": "the new name says it",
  "databases[].tables[].checks[].name": "the SQL is shown: nothing is held otherwise",
  "databases[].tables[].checks[].columns": "follows from the condition",
  "databases[].tables[].columns[].description": PROSE,
  "databases[].tables[].columns[].renamedFrom": "the new name says it",
  "databases[].tables[].columns[].defaulted":
    "said where HTTP clients create the rows; else migrate compares it",
  "databases[].tables[].columns[].anyJson": "follows from the type, and from the table's being there",
  "databases[].tables[].columns[].filledBy.member": OWNER,
  "databases[].views[].description": PROSE,
  "databases[].views[].names": CODE,
  "databases[].views[].columns[].description": PROSE,
  "databases[].views[].columns[].key": "follows from the key of the view",
  "databases[].views[].columns[].unique": "follows from the key of the view",
  "events[].name": "the subject has it",
  "events[].service": "the subject has it",
  "events[].entity": "the subject has it",
  "events[].action": "the subject has it",
  "events[].filter": "the subject has it",
  "events[].source": "said of the service",
  "events[].description": PROSE,
  "events[].names": CODE,
  "events[].payload[].description": PROSE,
  "events[].payload[].type": "its schema follows from it",
  "events[].payload[].each": "its schema follows from it",
  "events[].payload[].named": CODE,
  "events[].payload[].source.member": OWNER,
  "events[].payload[].source.column.type": "the column of the table that is referenced says it",
  "events[].payload[].source.table": "the column that refers there says it",
  "events[].payload[].source.fields[].optional": "the schema of the object says it",
  "events[].payload[].source.fields[].type": "the schema of the object says it",
  "events[].payload[].source.fields[].schema": "the schema of the object says it",
  "events[].payload[].source.fields[].named": CODE,
  "events[].payload[].source.fields[].source.member": OWNER,
  "events[].payload[].source.fields[].source.table": "the column that refers there says it",
  "calls[].urlVariable": NAME,
  "calls[].keyVariable": NAME,
  "calls[].reasons": "who keeps a copy, and what calls says, is compared",
};

type Json = null | string | number | boolean | readonly Json[] | { readonly [key: string]: Json };
type Keys = readonly (string | number)[];

interface Instance {
  readonly mesh: Json;
  readonly path: Keys;
  readonly value: Json;
}

const scenarios = readdirSync(join(ROOT, "test/scenarios/emit"));
const meshes = [
  readMesh(),
  ...scenarios.map((name) => readMesh(`test/scenarios/emit/${name}/mesh.yaml`)),
  ...Object.values(bases),
  bases.foreign.replace(
    "    envelope: none\n",
    "    envelope: none\n    stream: { name: PROBE, max_age: 2d }\n",
  ),
].map((text): Json => JSON.parse(JSON.stringify(compile(text))));

/** `databases[].tables[].columns[].type`: where it is in the meshes, spread over them. */
function findMembers(): ReadonlyMap<string, readonly Instance[]> {
  const found = new Map<string, Instance[]>();
  for (const mesh of meshes) {
    const ofMesh = new Map<string, Map<string, Instance>>();
    const visit = (value: Json, path: Keys, member: string): void => {
      const values = ofMesh.get(member) ?? new Map<string, Instance>();
      ofMesh.set(member, values);
      if (!isPart(member, value)) values.set(JSON.stringify(value), { mesh, path, value });
      if (OPEN.test(member)) return;
      if (Array.isArray(value))
        for (const [index, item] of value.entries()) visit(item, [...path, index], `${member}[]`);
      else if (isObject(value))
        for (const [key, item] of Object.entries(value))
          visit(item, [...path, key], member === "" ? key : `${member}.${key}`.replace(NESTED, ""));
    };
    visit(mesh, [], "");
    for (const [member, values] of ofMesh) {
      const [all, most] = [[...values.values()], VALUES_OF_MESH];
      const some = all.length > 2 * most ? [...all.slice(0, most), ...all.slice(-most)] : all;
      found.set(member, [...(found.get(member) ?? []), ...some]);
    }
  }
  return found;
}

/** Of the values of a member so many are tried of its first ones, and of its last. */
const VALUES_OF_MESH = 2;
/** What is no part of the model within: JSON of the user's. */
const OPEN = /\.(schema|named|value)$/;
/** Objects of fields within objects of fields. */
const NESTED = /\.source\.fields\[\](?=.*\.source\.fields\[\])/;

/** The mesh itself, and what a list is of: its members are looked at. */
function isPart(member: string, value: Json): boolean {
  return member === "" || (member.endsWith("[]") && typeof value === "object");
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What might stand in its place: what stands elsewhere, something unheard of, nothing. */
function alternatives({ value, path }: Instance, others: readonly Instance[]): readonly (Json | undefined)[] {
  const known = new Map(others.map((other) => [JSON.stringify(other.value), other.value]));
  known.delete(JSON.stringify(value));
  const seen = [...known.values()].slice(0, MOST_SEEN);
  if (typeof path.at(-1) === "number") return [...seen, ...(typeof value === "string" ? [`${value}_x`] : [])];
  if (Array.isArray(value)) return [value.slice(1), ...seen];
  if (typeof value === "string") return [...seen, `${value}_x`, undefined];
  if (typeof value === "number") return [value + 1, ...seen];
  return typeof value === "boolean" ? [!value, undefined] : [...seen, undefined];
}

const MOST_SEEN = 4;

function withValue(mesh: Json, path: Keys, value: Json | undefined): Json {
  const [key, ...rest] = path;
  if (key === undefined) throw new Error("a mesh as a whole is no member");
  const set = (of: Json): Json | undefined => (rest.length === 0 ? value : withValue(of, rest, value));
  if (Array.isArray(mesh)) return mesh.map((item, index) => (index === key ? (set(item) ?? null) : item));
  const { [key]: old = null, ...others } = mesh as { readonly [key: string]: Json };
  const next = set(old);
  const entries = Object.entries(mesh as object).map(([name, item]) => [name, name === key ? next : item]);
  return next === undefined ? others : Object.fromEntries(entries);
}

/** What is said of one of the two ways; a mesh that could not be is compared with none. */
function isSaid(instance: Instance, value: Json | undefined): boolean {
  const [before, next] = [instance.mesh, withValue(instance.mesh, instance.path, value)] as unknown as Mesh[];
  if (before === undefined || next === undefined) return false;
  return [
    [before, next],
    [next, before],
  ].some(([one, other]) => {
    try {
      return compareMeshes(one as Mesh, other as Mesh, { templates }).changes.length > 0;
    } catch {
      return false;
    }
  });
}

const members = findMembers();
const isUnsaid = (member: string) =>
  Object.keys(UNSAID).some(
    (known) => member === known || member.startsWith(`${known}.`) || member.startsWith(`${known}[]`),
  );

test("mesh diff says something of each member of the model that is another one, or has a reason not to", {
  timeout: 120_000,
}, () => {
  const silent = [...members]
    .filter(([member, instances]) => instances.length > 0 && !isUnsaid(member))
    .filter(
      ([, instances]) =>
        !instances.some((instance) =>
          alternatives(instance, instances).some((value) => isSaid(instance, value)),
        ),
    );
  expect(silent.map(([member]) => member)).toEqual([]);
});

test("the meshes of the suite have each member that the model's types have", () => {
  const folder = join(ROOT, "generator/model");
  const files = readdirSync(folder).filter((name) => /^(mesh|.*-model)\.ts$/.test(name));
  const declared = files.flatMap((name) =>
    [...readFileSync(join(folder, name), "utf8").matchAll(/readonly (\w+)\??:/g)].map(([, key]) => key ?? ""),
  );
  const present = new Set([...members.keys()].flatMap((member) => member.split(/\.|\[\]/)));
  expect(declared.length).toBeGreaterThan(100);
  expect(declared.filter((key) => !present.has(key))).toEqual([]);
});

test("what mesh diff may be silent of is there", () => {
  expect(Object.keys(UNSAID).filter((member) => !members.has(member))).toEqual([]);
});
