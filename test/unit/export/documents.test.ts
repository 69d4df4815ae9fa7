import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Parser } from "@asyncapi/parser";
import {
  apiEntityV1alpha1Validator,
  componentEntityV1alpha1Validator,
  entityEnvelopeSchemaValidator,
  resourceEntityV1alpha1Validator,
  systemEntityV1alpha1Validator,
} from "@backstage/catalog-model";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { brokerClaims } from "../../../generator/emit/documents/broker-claims.js";
import { openLookup } from "../../../generator/emit/lookup.js";
import { backstageEntities } from "../../../generator/export/backstage.js";
import { exportDocument, exportFiles } from "../../../generator/export/export-files.js";
import { exportFormats } from "../../../generator/export/export-formats.js";
import type { Mesh } from "../../../generator/model/mesh.js";
import { compile, ROOT, readMesh } from "../../support/compile.js";

/*
 * What a mesh is exported as, read by the tools that it is for: the official parser of AsyncAPI, a validator of OpenAPI, ajv, and
 * Backstage's own schemas.
 */

const inFolder = (folder: string) =>
  readdirSync(join(ROOT, folder)).map(
    (name) => [name, compile(readMesh(`${folder}/${name}/mesh.yaml`))] as const,
  );
const reference = compile(readMesh());
const examples = inFolder("examples");
const meshes: readonly (readonly [string, Mesh])[] = [
  ["the reference mesh", reference],
  ...examples,
  ...inFolder("test/scenarios/emit"),
];
const whole = { service: undefined };
const documentOf = (mesh: Mesh, format: (typeof exportFormats)[number]) =>
  exportDocument(mesh, format, whole) ?? "";

const parser = new Parser();

/** What the parser remarks, but that there is a later version: peers know 3.0. */
async function remarksOn(text: string): Promise<readonly string[]> {
  const { document, diagnostics } = await parser.parse(text);
  const remarks = diagnostics.filter(({ code }) => code !== "asyncapi-latest-version");
  return [
    ...(document === undefined ? ["no document"] : []),
    ...remarks.map(({ code, message, path }) => `${path.join(".")}: ${code}: ${message}`),
  ];
}

describe.each(meshes)("%s", (_, mesh) => {
  test("has a valid OpenAPI document for each service with HTTP, with an operation id for each operation", async () => {
    const files = exportFiles(mesh, "openapi", whole);
    expect(files.map(({ path }) => path)).toEqual(
      mesh.services.filter(({ http }) => http !== undefined).map(({ name }) => `${name}.openapi.json`),
    );
    for (const { text } of files) {
      expect(await new Validator().validate(JSON.parse(text))).toEqual({ valid: true });
      const ids = [...text.matchAll(/"operationId": "(\w+)"/g)].map(([, id]) => id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  test("has JSON Schemas under absolute ids that one ajv takes together", () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(JSON.parse(documentOf(mesh, "jsonschema")));
    for (const { name } of mesh.events) {
      const id = `urn:meshwright:${encodeURIComponent(mesh.name)}:${name}`;
      expect(ajv.getSchema(id)?.(null), id).toBe(false);
    }
    const files = exportFiles(mesh, "jsonschema", whole).map(({ text }) => JSON.parse(text).$id);
    expect(new Set(files).size).toBe(mesh.events.length);
  });

  test("is a catalogue that Backstage takes, and whose names lead somewhere", async () => {
    const documents = parseAllDocuments(documentOf(mesh, "backstage")).map((each) => each.toJS());
    expect(documents).toEqual(
      backstageEntities(openLookup(mesh)).map((entity) => JSON.parse(JSON.stringify(entity))),
    );
    const validators = {
      System: systemEntityV1alpha1Validator,
      Component: componentEntityV1alpha1Validator,
      API: apiEntityV1alpha1Validator,
      Resource: resourceEntityV1alpha1Validator,
    };
    const envelope = entityEnvelopeSchemaValidator();
    const names = (kind: string) =>
      documents.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);
    for (const document of documents) {
      envelope(document);
      expect(document.metadata.name).toMatch(/^[a-zA-Z0-9][\w.-]{0,62}$/);
      expect(await validators[document.kind as keyof typeof validators].check(document)).toBe(true);
      const { providesApis = [], consumesApis = [], dependsOn = [] } = document.spec;
      expect(names("API")).toEqual(expect.arrayContaining([...providesApis, ...consumesApis]));
      expect(names("Resource").map((name) => `resource:${name}`)).toEqual(expect.arrayContaining(dependsOn));
    }
  });
});

/** Those that say what others do not; the parser takes half a second for each. */
const PARSED = [
  "the reference mesh",
  "billing",
  "iot",
  "awkward-names",
  "foreign-envelopes",
  "named-types",
  "schemas",
  "without-database",
];

test.each(meshes.filter(([name]) => PARSED.includes(name)))(
  "%s is an AsyncAPI document on which the official parser remarks nothing",
  async (_, mesh) => expect(await remarksOn(documentOf(mesh, "asyncapi"))).toEqual([]),
);

test.each(reference.services.map((service) => [service.name, service] as const))(
  "the AsyncAPI document of %s alone has what it sends and receives",
  async (_, service) => {
    const text = exportDocument(reference, "asyncapi", { service }) ?? "";
    expect(await remarksOn(text)).toEqual([]);
    const { operations } = JSON.parse(text) as Operations;
    const actions = Object.values(operations).map(({ action }) => action);
    expect(actions.filter((action) => action === "send")).toHaveLength(service.events.length);
    expect(actions.filter((action) => action === "receive")).toHaveLength(
      service.consumers.reduce((sum, { events }) => sum + events.length, 0),
    );
  },
);

interface Operations {
  readonly operations: Readonly<Record<string, { readonly action: string }>>;
}

test("an AsyncAPI document says under x- what AsyncAPI has no words for", () => {
  const document = JSON.parse(documentOf(reference, "asyncapi"));
  expect(
    document["x-jetstream-streams"].map(({ config }: { config: { name: string } }) => config.name),
  ).toEqual(["AUTH", "COMPUTE", "GATEWAY", "SFS"]);
  expect(document["x-nats-permissions"].auth.publish).toContain("auth.user.*.created");
  expect(document.operations.compute_auth_user_receive_UserDeleted).toMatchObject({
    action: "receive",
    "x-jetstream-consumer": { stream: "AUTH", config: { durable_name: "compute_auth_user" } },
    "x-mesh-copy": "user_cache",
    "x-mesh-cascades": [
      { action: "delete", table: "containers", column: "user_id", before: "deleteContainerNamespace" },
      { action: "delete", table: "ssh_keys", column: "user_id" },
    ],
  });
});

test("OpenAPI has no private column, no way to write a copy or a view, and the wire's names", () => {
  const api = (path: string) =>
    exportFiles(compile(readMesh(path)), "openapi", whole).map(({ text }) => JSON.parse(text));
  const [, billing] = api("examples/billing/mesh.yaml");
  expect(billing.components.schemas.CustomerRow.properties).not.toHaveProperty("card_token");
  expect(billing.components.schemas.NewCustomer.properties).toHaveProperty("card_token");
  const [store, warehouse] = api("examples/shop/mesh.yaml");
  expect(Object.keys(store.components.schemas.CustomerRow.properties)).toEqual([
    "customerId",
    "fullName",
    "mailAddress",
  ]);
  expect(Object.keys(warehouse.paths["/products"])).toEqual(["get"]);
  expect(Object.keys(warehouse.paths["/products/{id}"])).toEqual(["parameters", "get"]);
  const softly = api("examples/library/mesh.yaml").find(({ paths }) => paths["/readers"] !== undefined);
  expect(softly.paths["/readers/{id}"].delete.summary).toContain("softly");
  for (const schema of ["NewReader", "ReaderRow"])
    expect(softly.components.schemas[schema].properties).not.toHaveProperty("left_at");
});

test("the catalogue says which database lies within which", () => {
  const mesh = compile(readMesh("test/scenarios/emit/shared-database/mesh.yaml"));
  const databases = backstageEntities(openLookup(mesh)).filter(({ kind }) => kind === "Resource");
  expect(databases.map(({ metadata, spec }) => [metadata.name, spec.dependsOn])).toEqual([
    ["billing_db", ["resource:shop_db"]],
    ["shop_db", undefined],
  ]);
});

test("each format prints a text for a mesh of one service without HTTP, but OpenAPI", () => {
  const mesh = compile(`
mesh: one
services: { a: { database: a_db, publishes: [a.*] } }
databases: { a_db: { tables: { ones: { columns: { id: { type: nanoid, key: true } } } } } }
subjects: { "a.one.{id}.made": { event: OneMade, emit: { table: ones, on: insert }, payload: { id: nanoid } } }
`);
  const printed = exportFormats.filter((format) => exportDocument(mesh, format, whole) !== undefined);
  expect(printed).toEqual(["asyncapi", "jsonschema", "backstage", "nats-accounts"]);
});

const RENAMED = `mesh: renamed
naming: camelCase
services:
  shop: { database: shop_db, publishes: [shop.*], http: { port: 8081, resources: { /items: items } } }
databases:
  shop_db:
    tables:
      items: { columns: { item_id: { type: nanoid, key: true }, short_code: text, on_sale: boolean } }
subjects:
  shop.item.{id}.offered:
    event: ItemOffered
    emit: { table: items, on: [insert, update], when: { on_sale: [true] } }
    payload: { itemId: nanoid, shortCode: { type: string, pattern: "^[A-Z]+$" } }
`;

test("an OpenAPI document demands of columns that REST calls otherwise what their payloads demand, by the names of the body", () => {
  const { components } = JSON.parse(documentOf(compile(RENAMED), "openapi"));
  const takes = (schema: object, body: object) =>
    new Ajv2020({ strict: false, validateFormats: false }).validate(schema, body);
  const { NewItem, ItemPatch } = components.schemas;
  expect(takes(NewItem, { shortCode: "ABC", onSale: true })).toBe(true);
  expect(takes(NewItem, { shortCode: "abc", onSale: true })).toBe(false);
  expect(takes(NewItem, { shortCode: "abc", onSale: false })).toBe(true);
  expect(takes(ItemPatch, { shortCode: "abc", onSale: true })).toBe(false);
});

test("the accounts of the broker are exported as `mesh credentials` signs them, of one service its own alone", () => {
  const claims = brokerClaims(openLookup(reference));
  const [auth] = reference.services;
  expect(JSON.parse(documentOf(reference, "nats-accounts"))).toEqual(claims);
  const [file] = exportFiles(reference, "nats-accounts", { ...whole, service: auth });
  expect(JSON.parse(file?.text ?? "")).toEqual({
    accounts: claims.accounts.filter(({ name }) => name === "auth"),
  });
});

test("documents have the version of the project, and 1.0.0 where it has none", () => {
  const versionOf = (format: (typeof exportFormats)[number], version?: string) =>
    exportFiles(reference, format, { ...whole, version }).map(({ text }) => JSON.parse(text).info.version);
  for (const format of ["openapi", "asyncapi"] as const) {
    expect(new Set(versionOf(format))).toEqual(new Set(["1.0.0"]));
    expect(new Set(versionOf(format, "2.3.4"))).toEqual(new Set(["2.3.4"]));
  }
});
