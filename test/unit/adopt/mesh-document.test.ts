import { expect, test } from "vitest";
import { parse } from "yaml";
import { addEntries, addItems } from "../../../generator/cli/adopt/mesh-document.js";

const FILE = `# a comment
mesh: shop
services:
  # the first
  auth:
    publishes: [auth.*]   # all
    http: { port: 8081, resources: { /api/users: users } }


databases: {}
subjects:
# the end
`;

/** Every line of the text before is there, in its order. */
function keepsLines(before: string, after: string): boolean {
  const lines = after.split("\n");
  let at = -1;
  return before.split("\n").every((line) => {
    at = lines.indexOf(line, at + 1);
    return at !== -1;
  });
}

test("adds to a block behind its last line, and to what stands in braces within them", () => {
  const once = addEntries(FILE, ["services"], { shop: { database: "shop_db", publishes: ["shop.*"] } });
  expect(keepsLines(FILE, once)).toBe(true);
  expect(once).toContain("users } }\n  shop:\n    database: shop_db\n    publishes: [shop.*]\n");
  const twice = addEntries(once, ["services", "auth", "http", "resources"], { "/api/things": "things" });
  expect(parse(twice).services.auth.http.resources).toEqual({
    "/api/users": "users",
    "/api/things": "things",
  });
  expect(twice).toContain("publishes: [auth.*]   # all");
});

test("fills sections that are empty or missing", () => {
  const text = addEntries(FILE, ["databases", "shop_db", "tables"], { users: { columns: { id: "text" } } });
  const all = addEntries(text, ["subjects"], {
    "a.b.{id}.created": { event: "BCreated", payload: { id: "string" } },
  });
  const more = addEntries(all, ["cascades", "x"], { y: 1 });
  expect(parse(more)).toMatchObject({
    databases: { shop_db: { tables: { users: { columns: { id: "text" } } } } },
    subjects: { "a.b.{id}.created": { event: "BCreated", payload: { id: "string" } } },
    cascades: { x: { y: 1 } },
  });
});

test("adds to lists of either form, and says null as people write it", () => {
  const text = addItems(
    "services:\n  a:\n    publishes: [a.b.*]\n  b:\n    publishes:\n      - b.c.*   # one\n",
    ["services", "a", "publishes"],
    ["a.c.*"],
  );
  const both = addItems(text, ["services", "b", "publishes"], ["b.d.*"]);
  expect(parse(both)).toEqual({
    services: { a: { publishes: ["a.b.*", "a.c.*"] }, b: { publishes: ["b.c.*", "b.d.*"] } },
  });
  expect(both).toContain("- b.c.*   # one\n      - b.d.*\n");
  expect(
    addEntries("", ["databases", "d", "tables", "t", "columns"], { id: { type: "text", null: true } }),
  ).toContain("id: { type: text, null: true }");
});
