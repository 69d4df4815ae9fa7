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

test("keeps the blank lines by which entries are parted, and makes none where there are none", () => {
  const parted = "services:\n  a: { external: true }\n\n  # the second\n  b: { external: true }\n";
  expect(addEntries(parted, ["services"], { c: { external: true } })).toBe(
    `${parted}\n  c:\n    external: true\n`,
  );
  const blocks = "services:\n  a:\n    external: true\n\n  b:\n    external: true\n";
  expect(addEntries(blocks, ["services"], { c: { external: true } })).toBe(
    `${blocks}\n  c:\n    external: true\n`,
  );
  const close = "services:\n  a: { external: true }\n  b: { external: true }\n\n# the end\n";
  expect(addEntries(close, ["services"], { c: { external: true } })).toBe(
    "services:\n  a: { external: true }\n  b: { external: true }\n  c:\n    external: true\n\n# the end\n",
  );
});

test("writes values of a list as people do, and what is in quotes as it is", () => {
  const columns = {
    a: { type: "text", one_of: ["on", "off"] },
    b: { type: "text", one_of: ["x [ 1 ]", "y"] },
  };
  const tables = { lights: { columns } };
  const text = addEntries("databases:\n  d:\n    tables: {}\n", ["databases", "d", "tables"], tables);
  expect(text).toContain("a: { type: text, one_of: [on, off] }\n");
  expect(parse(text).databases.d.tables).toEqual(tables);
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

/** What was there, with one addition in one place. */
function isAddition(before: string, after: string): boolean {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same += 1;
  for (let at = same; at >= 0; at -= 1)
    if (before.startsWith(after.slice(0, at)) && after.endsWith(before.slice(at))) return true;
  return false;
}

const ODD: Readonly<Record<string, string>> = {
  "ends without a new line": "databases:\n  d:\n    tables:\n      old: { columns: {} }",
  "ends in a comment without a new line": "databases:\n  d:\n    tables:\n      old: { columns: {} } # end",
  "has Windows line ends":
    "databases:\r\n  d:\r\n    tables:\r\n      old:\r\n        columns: {}   # one\r\n\r\nsubjects: {}\r\n",
  "has Windows line ends and braces":
    "databases:\r\n  d: {\r\n    tables: { old: { columns: {} } }\r\n  }\r\n",
  "is one line of braces": "databases: { d: { tables: { old: { columns: {} } } } }\n",
  "has braces over several lines":
    "databases: {\n  d: {\n    tables: {\n      old: { columns: {} }\n    }\n  }\n}\n",
  "has a comma behind the last of the braces": "databases:\n  d:\n    tables: { old: { columns: {} }, }\n",
  "has a comma and a comment in braces":
    "databases:\n  d:\n    tables: {\n      old: { columns: {} }, # the first\n      # and more\n    }\n",
  "has a comment in braces":
    "databases:\n  d:\n    tables: {\n      old: { columns: {} } # the first\n    }\n",
  "has braces with nothing in them": "databases:\n  d:\n    tables: { }   # none\n",
  "has braces with a comment in them": "databases:\n  d:\n    tables: {\n      # none yet\n    }\n",
  "has a section with nothing in it": "databases:\n  d:\n    tables:   # none\nsubjects: {}\n",
  "has a section that is null": "databases:\n  d:\n    tables: ~   # none\n",
  "has comments between and behind":
    "databases:\n  d:\n    tables:\n      # before\n      old: { columns: {} }\n      # behind\n    # of d\n  # of databases\nsubjects: {}\n",
  "ends in a text of several lines":
    "databases:\n  d:\n    tables:\n      old:\n        columns: {}\n        description: |\n          one\n\n          two\n\n\nsubjects: {}\n",
  "ends in a text that keeps its empty lines":
    "databases:\n  d:\n    tables:\n      old:\n        columns: {}\n        description: |+\n          one\n\n\nsubjects: {}\n",
  "ends in a folded plain text":
    "databases:\n  d:\n    tables:\n      old:\n        columns: {}\n        description: one\n          two\nsubjects: {}\n",
  "has anchors and aliases":
    "x: &key { type: text }\ndatabases:\n  d:\n    tables:\n      old: &old { columns: { id: *key } }\n      other: *old\n",
  "has a merge key": "e: &all\n  old: { columns: {} }\ndatabases:\n  d:\n    tables:\n      <<: *all\n",
  "has quoted keys": "'databases':\n  \"d\":\n    'tables':\n      \"old\": { columns: {} }\n",
  "has marks of a document":
    "%YAML 1.2\n---\ndatabases:\n  d:\n    tables:\n      old: { columns: {} }\n...\n",
  "has wide indentation":
    "databases:\n    d:\n        tables:\n            old:\n                columns: {}\n",
  "has a byte order mark": "\ufeffdatabases:\n  d:\n    tables:\n      old: { columns: {} }\n",
  "has comments alone": "# nothing yet\n",
  "has a tag": "databases: !!map\n  d:\n    tables: !!map\n      old: { columns: {} }\n",
};

test.each(Object.entries(ODD))("a file that %s gets what is added, and keeps every byte", (_, text) => {
  const made = { columns: { id: { type: "text", key: true } } };
  const after = addEntries(text, ["databases", "d", "tables"], { made, "with space": made });
  // A comma of its own may come ahead of a comment, and what means nothing goes.
  const kept = text.replace(/ \{ \}| ~/, "").replace("{} } # the first", "{} }, # the first");
  expect(isAddition(kept, after), after).toBe(true);
  expect(after).not.toMatch(/[&*]a1/);
  const before = parse(text, { merge: true }) ?? {};
  const tables = { ...before.databases?.d.tables, made, "with space": made };
  expect(parse(after, { merge: true })).toEqual({
    ...before,
    databases: { ...before.databases, d: { ...before.databases?.d, tables } },
  });
  if (text.includes("\r\n")) expect(after.replaceAll("\r\n", "")).not.toContain("\n");
});

test("what is written elsewhere is not added to, and its place is named", () => {
  const text = "e: &all\n  old: { columns: {} }\ndatabases:\n  d:\n    tables: *all\n";
  expect(() => addEntries(text, ["databases", "d", "tables"], { made: 1 })).toThrow(
    "mesh.yaml:5:13: databases.d.tables is *all, which is written elsewhere",
  );
  const list = "services: { a: { publishes: &p [a.*] }, b: { publishes: *p } }\n";
  expect(() => addItems(list, ["services", "b", "publishes"], ["b.*"])).toThrow("services.b.publishes is *p");
});

test("comments and line ends stay where they are, in braces too", () => {
  const braces = "tables: {\n  old: {}, # the first\n  # and more\n}\n";
  expect(addEntries(braces, ["tables"], { a: { b: 1 }, c: 2 })).toBe(
    "tables: {\n  old: {}, # the first\n  # and more\n  a: { b: 1 },\n  c: 2\n}\n",
  );
  expect(addEntries("tables: {\n  old: {}\n}\n", ["tables"], { a: 1 })).toBe(
    "tables: {\n  old: {},\n  a: 1\n}\n",
  );
  expect(addItems("list: [a, b] # two\n", ["list"], ["c"])).toBe("list: [a, b, c] # two\n");
  expect(addItems("list: [\n  a # one\n]\n", ["list"], ["c"])).toBe("list: [\n  a, # one\n  c\n]\n");
  expect(addEntries("tables:   # none\nlast: 1\n", ["tables"], { a: 1 })).toBe(
    "tables:   # none\n  a: 1\nlast: 1\n",
  );
});
