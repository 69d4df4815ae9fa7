import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { authEvents } from "../../generated/auth/events.js";

/*
 * The documented messages against what is generated for them: the published JSON Schema, read by ajv as
 * anybody would, and the precompiled validator must agree on each of them and on each way to break them.
 */

interface Message {
  metadata: { version?: unknown; [field: string]: unknown };
  [field: string]: unknown;
}

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));

const EVENTS = [authEvents.userCreated, authEvents.userUpdated, authEvents.userDeleted];

describe.each(EVENTS)("$name", ({ name, validate }) => {
  const documented: Message = read(`documented/${name}.json`);
  const schema = read(`../../generated/schemas/${name}.schema.json`);
  const bySchema = new Ajv2020({ allErrors: true }).compile(schema);

  const verdict = (change: (message: Message) => unknown) => {
    const message = structuredClone(documented);
    change(message);
    const accepted = validate(message);
    expect(bySchema(message), "schema and validator disagree").toBe(accepted);
    return accepted;
  };

  test("the documented message is valid", () => {
    expect(verdict(() => {})).toBe(true);
    expect(validate.errors).toBeNull();
  });

  test("names exactly the documented fields, in their order", () => {
    expect(Object.keys(schema.properties)).toEqual(Object.keys(documented));
    const { metadata } = read("documented/UserCreated.json");
    expect(Object.keys(schema.properties.metadata.properties)).toEqual(Object.keys(metadata));
    expect(schema).toMatchObject({
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $id: `${name}.schema.json`,
      title: name,
    });
  });

  test.each(Object.keys(documented))("needs %s, and needs it as it is", (field) => {
    expect(verdict((message) => delete message[field])).toBe(false);
    for (const wrong of [null, 1, true, [], {}]) {
      expect(
        verdict((message) => Object.assign(message, { [field]: wrong })),
        JSON.stringify(wrong),
      ).toBe(false);
    }
  });

  test.each(["event_id", "entity_id", "timestamp", "source"])("needs metadata.%s", (field) => {
    expect(verdict(({ metadata }) => delete metadata[field])).toBe(false);
  });

  test.each([
    ["event_id", ""],
    ["event_id", 1],
    ["entity_id", ""],
    ["entity_id", null],
    ["timestamp", "1705920000"],
    ["timestamp", 1705920000.5],
    ["source", 7],
    ["version", "1"],
    ["version", 0],
    ["version", 1.5],
    ["version", null],
  ])("refuses metadata.%s = %j", (field, wrong) => {
    expect(verdict(({ metadata }) => Object.assign(metadata, { [field]: wrong }))).toBe(false);
  });

  test("takes a message with a version and without one", () => {
    expect(verdict(({ metadata }) => Object.assign(metadata, { version: 2 ** 52 }))).toBe(true);
    expect(verdict(({ metadata }) => Object.assign(metadata, { version: 2 ** 52 + 1 }))).toBe(false);
    expect(verdict(({ metadata }) => delete metadata.version)).toBe(true);
  });

  test("tolerates what it does not know", () => {
    expect(verdict((message) => Object.assign(message, { added_later: [1] }))).toBe(true);
    expect(verdict(({ metadata }) => Object.assign(metadata, { trace: "x" }))).toBe(true);
  });

  test.each([null, [], "text", 1, undefined])("is no %j", (message) => {
    expect(validate(message)).toBe(false);
  });

  test("gives every reason with its place", () => {
    expect(validate({ metadata: { event_id: 1 } })).toBe(false);
    const reasons = validate.errors?.map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
    expect(reasons).toContain("/metadata/event_id type");
    expect(reasons?.filter((reason) => reason.endsWith("required")).length).toBeGreaterThan(3);
  });
});
