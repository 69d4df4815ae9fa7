import { expect, test } from "vitest";
import { type Change, changeKinds } from "../../../generator/compatibility/change.js";
import { FAILING } from "../../../generator/compatibility/change-class.js";
import { compareMeshes } from "../../../generator/compatibility/compare-meshes.js";
import type { Mesh } from "../../../generator/model/mesh.js";
import { compile, readMesh } from "../../support/compile.js";
import { templates } from "../../support/migrations.js";
import { type Base, bases } from "./bases.js";
import { databaseEdits } from "./edits/database-edits.js";
import type { Edit, Patch } from "./edits/edit.js";
import { foreignEdits } from "./edits/foreign-edits.js";
import { libraryEdits } from "./edits/library-edits.js";
import { marketEdits } from "./edits/market-edits.js";
import { payloadEdits } from "./edits/payload-edits.js";
import { railwayEdits } from "./edits/railway-edits.js";
import { serviceEdits } from "./edits/service-edits.js";

const TABLE: readonly (readonly [base: Base, edits: readonly Edit[]])[] = [
  ["shop", payloadEdits],
  ["shop", databaseEdits],
  ["shop", serviceEdits],
  ["foreign", foreignEdits],
  ["library", libraryEdits],
  ["market", marketEdits],
  ["railway", railwayEdits],
];
const edits = TABLE.flatMap(([base, those]) =>
  those.map(([title, ...rest]) => [title, base, ...rest] as const),
);
const models = Object.fromEntries(Object.entries(bases).map(([name, text]) => [name, compile(text)]));

function edited(base: Base, patch: Patch): string {
  return patch.reduce((text, [from, to]) => {
    expect(text, `the edit finds ${JSON.stringify(from)}`).toContain(from);
    return text.replace(from, () => to);
  }, bases[base] as string);
}

function judged({ class: of, kind, concerns, deployment }: Change): string {
  const services = [...new Set(concerns.map(({ service }) => service))].sort().join(", ");
  return `${of} ${kind}: ${services}; ${deployment.first} ${deployment.releases}`;
}

test.each(edits)("%s", (_, base, patch, expected) => {
  const [before, next] = [models[base] as Mesh, compile(edited(base, patch))];
  const { changes, breaks } = compareMeshes(before, next, { templates });
  expect(changes.map(judged).sort()).toEqual([...expected].sort());
  // Of what the migration itself calls the end of older releases, a change must say so.
  for (const { database, reasons } of breaks) {
    const worst = changes.filter(
      ({ rows, class: of }) => rows?.database === database && FAILING.includes(of),
    );
    expect(worst.length, reasons.join("; ")).toBeGreaterThan(0);
  }
});

test("who creates rows of a table that exists over HTTP must give what the database no longer fills in", () => {
  const billing = readMesh("examples/billing/mesh.yaml");
  const next = billing.replace("seats: { type: integer, defaulted: true }", "seats: integer");
  const compare = (from: string, to: string) =>
    compareMeshes(compile(from), compile(to), { templates }).changes;
  expect(compare(billing, next).map(judged)).toEqual([
    "breaking-consumer member-required: billing; consumers 1",
  ]);
  expect(compare(next, billing)).toEqual([]);
});

test("no kind of change is without an edit that shows it", () => {
  const shown = new Set(
    edits.flatMap(([, , , expected]) => expected.map((line) => /^\S+ ([\w-]+):/.exec(line)?.[1])),
  );
  expect(Object.keys(changeKinds).filter((kind) => !shown.has(kind))).toEqual([]);
});

test("there are at least 200 edits", () => {
  expect(edits.length).toBeGreaterThanOrEqual(200);
});
