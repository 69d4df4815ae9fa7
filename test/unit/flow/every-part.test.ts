import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { compileMesh } from "../../../generator/compile.js";
import type { Branch, Tree } from "../../../generator/flow/branch.js";
import { explainEvent } from "../../../generator/flow/explain-event.js";
import { namesOfParts } from "../../../generator/flow/find-part.js";
import { openFlow } from "../../../generator/flow/flow.js";
import { keyOf, type Part } from "../../../generator/flow/part.js";
import { noTreePaint, printTree } from "../../../generator/flow/print-tree.js";
import { treeToJson } from "../../../generator/flow/tree-to-json.js";
import { impactOf } from "../../../generator/flow/uses.js";
import { compile, ROOT, readMesh } from "../../support/compile.js";

/* Whatever the language can say, each part of it can be asked about, and each line of the answer says where it is written. */

const scenarios = readdirSync(`${ROOT}/test/scenarios/emit`).sort();
/** What nobody writes into mesh.yaml. */
const UNWRITTEN: readonly Part["kind"][] = ["hook", "dead letters"];

test.each(scenarios)("every part of the scenario %s has an answer with places", (scenario) => {
  const { mesh, placeOf } = compileMesh(readMesh(`test/scenarios/emit/${scenario}/mesh.yaml`), {
    file: "mesh.yaml",
  });
  if (mesh === undefined) throw new Error("does not compile");
  const flow = openFlow(mesh);
  const parts = new Map([...namesOfParts(flow).values()].flat().map((part) => [keyOf(part), part]));
  const trees = [
    ...[...parts.values()].map((part) => impactOf(flow, part)),
    ...mesh.events.map((event) => explainEvent(flow, event)),
  ];
  for (const tree of trees) {
    const lines = printTree(tree, { flow, placeOf: () => undefined, paint: noTreePaint }).split("\n");
    expect(lines.filter((line) => /undefined| {2}$|^\s*$/.test(line))).toEqual([]);
    JSON.stringify(treeToJson(tree, { flow, placeOf: () => undefined }));
    const unplaced = partsIn(tree).filter(
      (part) => !UNWRITTEN.includes(part.kind) && placeOf(part) === undefined,
    );
    expect(unplaced).toEqual([]);
  }
});

function partsIn({ of, from, next }: Tree): readonly Part[] {
  const below = (branch: Branch): readonly Part[] => [branch.to, ...branch.next.flatMap(below)];
  return [of, ...from.map(({ to }) => to), ...next.flatMap(below)];
}

test("deletions in a circle are told once, and the way back is marked", () => {
  const flow = openFlow(
    compile(`
mesh: circle
services:
  a: { database: a_db, publishes: [a.*], subscribes: [b.*] }
  b: { database: b_db, publishes: [b.*], subscribes: [a.*] }
databases:
  a_db: { tables: { as: { columns: { a_id: { type: nanoid, key: true }, b_id: text } } } }
  b_db: { tables: { bs: { columns: { b_id: { type: nanoid, key: true }, a_id: text } } } }
subjects:
  a.a.{id}.deleted: { event: AGone, emit: { table: as, on: delete }, payload: {} }
  b.b.{id}.deleted: { event: BGone, emit: { table: bs, on: delete }, payload: {} }
cascades:
  - { on: a.a.deleted, service: b, delete: bs.a_id }
  - { on: b.b.deleted, service: a, delete: as.b_id }
`),
    { remarks: [], find: () => undefined },
  );
  const text = printTree(explainEvent(flow, flow.event("AGone")), {
    flow,
    placeOf: () => undefined,
    paint: noTreePaint,
  });
  expect(text.split("\n").filter((line) => !line.includes("dead letter"))).toEqual([
    "a.a.deleted  AGone",
    "← a_db.as  tells of it, on delete",
    "└─ b  hears it (b_a_a)",
    "   ├─ b_db.bs  deletes rows by a_id",
    "   │  └─ b.b.deleted  BGone",
    "   │     └─ a  hears it (a_b_b)",
    "   │        ├─ a_db.as  deletes rows by b_id",
    "   │        │  └─ a.a.deleted  AGone  (a loop: it is where this began)",
  ]);
});

test("tables that refer to each other in layers, twice each, are told in time", () => {
  const layers = 40;
  const tables = Array.from({ length: layers }, (_, at) => {
    const parents =
      at === 0
        ? ""
        : `, p: { type: nanoid, references: t${at - 1}, on_delete: cascade }, q: { type: nanoid, references: t${at - 1}, on_delete: cascade }`;
    return `      t${at}: { columns: { id: { type: nanoid, key: true }${parents} } }`;
  });
  const flow = openFlow(
    compile(
      `mesh: deep\nservices:\n  a: { database: a_db, publishes: [a.*] }\ndatabases:\n  a_db:\n    tables:\n${tables.join("\n")}\nsubjects:\n  a.a.{id}.deleted: { event: Gone, emit: { table: t0, on: delete }, payload: {} }\n`,
    ),
  );
  const lines = printTree(explainEvent(flow, flow.event("Gone")), {
    flow,
    placeOf: () => undefined,
    paint: noTreePaint,
  }).split("\n");
  expect(lines.length).toBeLessThan(3 * layers);
});

test("places stand in one column as far as the terminal is wide enough for it", () => {
  const flow = openFlow(compile(readMesh()));
  const tree = explainEvent(flow, flow.event("UserDeleted"));
  const print = (columns: number | undefined) =>
    printTree(tree, { flow, placeOf: () => "mesh.yaml:100", paint: noTreePaint, columns }).split("\n");
  const [wide, narrow] = [print(undefined), print(80)];
  expect(narrow.map((line) => line.replace(/ +/g, " "))).toEqual(
    wide.map((line) => line.replace(/ +/g, " ")),
  );
  const broken = (lines: readonly string[]) => lines.filter((line) => line.length > 80).length;
  expect(broken(wide)).toBeGreaterThan(wide.length / 2);
  expect(broken(narrow)).toBeLessThan(broken(wide) / 2 + 1);
});
