import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { findHookMistakes } from "../../../generator/check/hook-files.js";
import { compileMesh } from "../../../generator/compile.js";
import { compile, readMesh } from "../../support/compile.js";

const { mesh } = compileMesh(readFileSync(new URL("../../../mesh.yaml", import.meta.url), "utf8"), {
  file: "mesh.yaml",
});
if (mesh === undefined) throw new Error("the reference mesh is valid");

const step = "export const computeHooks = { async deleteContainerNamespace() {} };";
const mistakes = (files: Readonly<Record<string, string>>, of = mesh) =>
  findHookMistakes(
    of,
    Object.entries(files).map(([name, text]) => ({ name, text })),
  ).map(({ code, message, hint, file, path }) => `${file ?? path?.join(".")} ${code}: ${message}; ${hint}`);

test("the hooks of the reference mesh, its helper and other exports are fine", () => {
  const read = (name: string) => readFileSync(new URL(`../../../hooks/${name}`, import.meta.url), "utf8");
  expect(mistakes({ "compute.ts": read("compute.ts"), "kubernetes.ts": read("kubernetes.ts") })).toEqual([]);
  expect(
    mistakes({ "compute.js": `${step}\nstream.onData(() => 1);`, "words.ts": "export const a = 1;" }),
  ).toEqual([]);
});

test("a step before a deletion that nobody wrote is missed", () => {
  expect(mistakes({})).toEqual([
    'services.compute missing-hook: a rule calls "deleteContainerNamespace" of "compute", but hooks/compute.ts does not exist: the service would not start; write it into hooks/compute.ts, in the export "computeHooks" of type "ComputeHooks"',
  ]);
  expect(mistakes({ "compute.ts": "export default {};" })[0]).toContain("does not mention it");
});

test("a misspelt handler, an export and a file that fit nothing are named, with what was meant", () => {
  const found = mistakes({
    "compute.ts": step,
    "sfs.ts": "export const sfsHook = { async onUserCraeted() {} };",
    "gatway.ts": "const hooks = 1;",
    "billing.ts": "export const billingHooks = {};",
  });
  expect(found).toEqual([
    'hooks/sfs.ts unknown-hook: "onUserCraeted" fits no event that "sfs" hears; did you mean "onUserCreated"?',
    'hooks/sfs.ts unexported-hooks: it exports neither "sfsHooks" nor a default: "sfs" would not start; write "export const sfsHooks: SfsHooks = { … };"',
    'hooks/gatway.ts unknown-hook-file: no service is called so, and nothing imports it: nobody will load it; did you mean "hooks/gateway.ts"?',
    "hooks/billing.ts unknown-hook-file: no service is called so, and nothing imports it: nobody will load it; the services are auth, compute, gateway, sfs",
  ]);
});

test("a hook that a snapshot cannot call for a lost event is named, with the field that it cannot make", () => {
  const text = readMesh("test/scenarios/emit/shown-otherwise/mesh.yaml");
  const shown = compile(text);
  const hooks = (name: string) => ({ "kitchen.ts": `export const kitchenHooks = { async ${name}() {} };` });
  expect(mistakes(hooks("onOrderPriced"), shown)).toEqual([
    `subjects.food.order.{id}.priced.payload.buyer hook-of-lost-event: where an event was lost, a snapshot cannot make "OrderPriced" for "onOrderPriced" of "kitchen": "buyer" must be there, and shows "name" of the row that "buyer_id" references; make it optional (type: …?), and let the hook do without it`,
  ]);
  expect(mistakes(hooks("onOrderApproved"), shown)[0]).toContain('shows what "state" was before');
  const optional = compile(text.replace("type: { enum: [open] }", "type: string?"));
  expect(mistakes(hooks("onOrderApproved"), optional)).toEqual([]);
});
