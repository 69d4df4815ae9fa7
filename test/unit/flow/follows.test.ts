import { expect, test } from "vitest";
import { explainEvent } from "../../../generator/flow/explain-event.js";
import { namesOfParts } from "../../../generator/flow/find-part.js";
import { type Flow, openFlow } from "../../../generator/flow/flow.js";
import type { HookStatements } from "../../../generator/flow/hook-reads.js";
import { noTreePaint, printTree } from "../../../generator/flow/print-tree.js";
import { impactOf } from "../../../generator/flow/uses.js";
import { compile } from "../../support/compile.js";

/* What follows from what, where the language has more than copies and deletions: line by line, without dead letters. */

/** Two services: what `shop` owns and tells, and `desk` hears. */
function market(parts: {
  readonly shop: string;
  readonly desk?: string;
  readonly subjects: string;
  readonly cascades?: string;
}): Flow {
  return openFlow(
    compile(`
mesh: market
services:
  shop: { database: shop_db, publishes: [shop.*], http: { port: 8081, resources: { /items: items } } }
  desk: { database: desk_db, publishes: [desk.*], subscribes: [shop.*] }
databases:
  shop_db: { tables: { ${parts.shop} } }
  desk_db: { tables: { ${parts.desk ?? "notes: { columns: { note_id: { type: nanoid, key: true } } }"} } }
subjects:
${parts.subjects}
cascades: ${parts.cascades ?? "[]"}
`),
    { remarks: [], find: () => undefined },
  );
}

function linesOf(
  flow: Flow,
  what: { readonly explain: string } | { readonly impact: string },
): readonly string[] {
  const word = "explain" in what ? what.explain : what.impact;
  const [part] = namesOfParts(flow).get(word) ?? [];
  if (part === undefined) throw new Error(`no ${word}`);
  const tree =
    "explain" in what && part.kind === "event"
      ? explainEvent(flow, flow.event(part.event))
      : impactOf(flow, part);
  return printTree(tree, { flow, placeOf: () => undefined, paint: noTreePaint })
    .split("\n")
    .filter((line) => !line.includes("dead letter"));
}

const ITEMS = "items: { columns: { item_id: { type: nanoid, key: true }, name: text } }";
const GONE = "  shop.item.{id}.deleted: { event: ItemGone, emit: { table: items, on: delete }, payload: {} }";

test("rows that are deleted softly keep what references them, and say by which column they go", () => {
  const tables = (soft: string) =>
    `items: { ${soft}columns: { item_id: { type: nanoid, key: true }, gone_at: timestamp? } }, parts: { columns: { part_id: { type: nanoid, key: true }, item_id: { type: nanoid, references: items, on_delete: cascade } } }`;
  expect(linesOf(market({ shop: tables(""), subjects: GONE }), { explain: "shop.item.deleted" })).toEqual([
    "shop.item.deleted  ItemGone",
    "← shop_db.items  tells of it, on delete",
    "├─ shop_db.parts  rows go with it: item_id references items, on_delete: cascade",
    "└─ desk  hears it (desk_shop_item); nothing comes of it",
  ]);
  expect(
    linesOf(market({ shop: tables("soft_delete: gone_at, "), subjects: GONE }), { explain: "ItemGone" }),
  ).toEqual([
    "shop.item.deleted  ItemGone",
    "← shop_db.items  tells of it, on delete, which sets gone_at",
    "└─ desk  hears it (desk_shop_item); nothing comes of it",
  ]);
});

test("a column by which rows are deleted softly is in no answer, and tells of deletions and creations", () => {
  const flow = market({
    shop: "items: { soft_delete: gone_at, columns: { item_id: { type: nanoid, key: true }, gone_at: timestamp? } }",
    subjects: `${GONE}\n  shop.item.{id}.made: { event: ItemMade, emit: { table: items, on: insert }, payload: { item_id: nanoid } }`,
  });
  expect(linesOf(flow, { impact: "items.gone_at" }).filter((line) => !line.includes("desk"))).toEqual([
    "shop_db.items.gone_at  timestamp, may be NULL",
    "├─ shop.item.made  is told when it is cleared: that creates the row anew",
    "└─ shop.item.deleted  is told when it is set: that deletes the row",
  ]);
});

test("a deletion is answered with the rows that reference it, asked as event, entity or service, and they say by whom they go", () => {
  const parts =
    "parts: { columns: { part_id: { type: nanoid, key: true }, item_id: { type: nanoid, references: items, on_delete: cascade } } }";
  const flow = market({ shop: `${ITEMS}, ${parts}`, subjects: GONE });
  const gone = "shop_db.parts  rows go with it: item_id references items, on_delete: cascade";
  for (const word of ["ItemGone", "shop.item", "shop"])
    expect(linesOf(flow, { impact: word }).filter((line) => line.includes(gone))).toHaveLength(1);
  expect(linesOf(flow, { impact: "shop.parts" })).toContain(
    "← shop_db.items  item_id references it, on_delete: cascade: rows go with it, as shop.item.deleted tells",
  );
});

test("a rule cancels the moments of the rows that it deletes, and tells the events of columns that it clears", () => {
  const flow = market({
    shop: ITEMS,
    desk: "loans: { columns: { loan_id: { type: nanoid, key: true }, item_id: text, due_at: timestamptz } }, wishes: { columns: { wish_id: { type: nanoid, key: true }, item_id: text?, rank: integer } }",
    subjects: `${GONE}
  desk.loan.{id}.overdue: { event: LoanOverdue, emit: { table: loans, at: due_at }, payload: {} }
  desk.wish.{id}.changed: { event: WishChanged, emit: { table: wishes, on: update }, payload: { item_id: string? } }
  desk.wish.{id}.ranked: { event: WishRanked, emit: { table: wishes, on: update }, payload: { rank: integer } }
  desk.wish.{id}.lost: { event: WishLost, emit: { table: wishes, on: update, when: { item_id: { null: true } } }, payload: {} }
  desk.wish.{id}.kept: { event: WishKept, emit: { table: wishes, on: update, of: [rank] }, payload: { item_id: string? } }`,
    cascades:
      "[{ on: shop.item.deleted, service: desk, delete: loans.item_id }, { on: shop.item.deleted, service: desk, set_null: wishes.item_id }]",
  });
  expect(linesOf(flow, { explain: "ItemGone" })).toEqual([
    "shop.item.deleted  ItemGone",
    "← shop_db.items  tells of it, on delete",
    "└─ desk  hears it (desk_shop_item)",
    "   ├─ desk_db.loans  deletes rows by item_id",
    "   │  └─ desk.loan.overdue  no longer comes: its moment (due_at) goes with the row",
    "   ├─ desk_db.wishes.item_id  sets it to NULL",
    "   │  ├─ desk.wish.changed  WishChanged; nobody hears it",
    "   │  └─ desk.wish.lost  WishLost; nobody hears it",
  ]);
});

test("a moment says what must hold, and what must not", () => {
  const flow = market({
    shop: "items: { columns: { item_id: { type: nanoid, key: true }, state: { type: text, one_of: [new, sold, gone] }, ends_at: timestamptz } }",
    subjects:
      "  shop.item.{id}.ended: { event: ItemEnded, emit: { table: items, at: ends_at, unless: { state: [sold, gone] } }, payload: {} }",
  });
  expect(linesOf(flow, { explain: "ItemEnded" })[1]).toBe(
    "← shop_db.items  tells of it when ends_at comes, unless state is sold or gone",
  );
  expect(linesOf(flow, { impact: "items.state" })).toEqual([
    "shop_db.items.state  text",
    "├─ shop.item.ended  is not told where state is sold or gone",
    "│  └─ desk  hears it (desk_shop_item); nothing comes of it",
    "└─ shop /items  shows it as state, read and written",
  ]);
});

test("a partial copy tells which column decides, a renamed one which field fills it", () => {
  const flow = market({
    shop: "items: { columns: { item_id: { type: nanoid, key: true }, name: text, state: text } }",
    desk: "item_cache: { cache: shop.item, where: { state: open }, sync: { from: shop, get: /items }, columns: { item_id: { type: text, key: true }, label: { type: text, from: name }, state: text } }",
    subjects:
      "  shop.item.{id}.created: { event: ItemMade, emit: { table: items, on: insert }, payload: { item_id: nanoid, name: string, state: string } }",
  });
  expect(linesOf(flow, { impact: "items.state" })).toEqual([
    "shop_db.items.state  text",
    "├─ shop.item.created.state  ItemMade shows it",
    "│  └─ desk_db.item_cache.state  is filled by it, in desk: it decides which rows are there",
    "├─ desk_db.item_cache.state  is filled from GET /items too",
    "└─ shop /items  shows it as state, read and written",
  ]);
  expect(linesOf(flow, { impact: "item_cache.label" })).toEqual([
    "desk_db.item_cache.label  text",
    "← shop.item.created.name  fills it",
    "← shop /items  fills it too, by name in snapshots",
  ]);
});

test("a field of another row concerns the column that it shows and the one that leads there", () => {
  const flow = market({
    shop: "items: { columns: { item_id: { type: nanoid, key: true }, shelf: { type: nanoid, references: shelves } } }, shelves: { columns: { shelf_id: { type: nanoid, key: true }, room: text } }",
    subjects:
      "  shop.item.{id}.created: { event: ItemMade, emit: { table: items, on: insert }, payload: { place: { fields: { room: { from: shelf.room } } } } }",
  });
  const hears = "│  └─ desk  hears the event, and does nothing with this field";
  expect(linesOf(flow, { impact: "items.shelf" }).slice(1, 4)).toEqual([
    "← shop_db.shelves.shelf_id  is what it references",
    "├─ shop.item.created.place.room  ItemMade shows shelves.room by it",
    hears,
  ]);
  expect(linesOf(flow, { impact: "shelves.room" })[1]).toBe(
    "└─ shop.item.created.place.room  ItemMade shows it by items.shelf",
  );
});

test("a key of several columns names its entity, and the columns of others that hold its ids", () => {
  const flow = market({
    shop: "items: { key: [shop_no, item_no], columns: { shop_no: integer, item_no: integer } }",
    desk: "wishes: { columns: { wish_id: { type: nanoid, key: true }, item: text } }",
    subjects: GONE,
    cascades: "[{ on: shop.item.deleted, service: desk, delete: wishes.item }]",
  });
  expect(linesOf(flow, { impact: "items.item_no" }).slice(0, 3)).toEqual([
    "shop_db.items.item_no  integer",
    "├─ shop.item  it is the id of the entity",
    "│  └─ desk_db.wishes.item  holds that id",
  ]);
});

test("what a hook publishes by hand follows from it, and may lead back", () => {
  const known = market({
    shop: ITEMS,
    subjects: `${GONE}
  desk.bell.{id}.rung: { event: BellRung, payload: {} }`,
  });
  const flow = openFlow(known.mesh, {
    remarks: [],
    find: ({ name }) =>
      name === "onItemGone"
        ? {
            at: { file: "hooks/desk.ts", line: 1 },
            reads: ["item_id"],
            tells: ["BellRung"],
            runs: () => ({ tables: [], isWhole: true }),
          }
        : undefined,
  });
  expect(linesOf(flow, { explain: "ItemGone" }).slice(2)).toEqual([
    "└─ desk  hears it (desk_shop_item)",
    "   ├─ desk.onItemGone  reads item_id",
    "   │  └─ desk.bell.rung  BellRung; nobody hears it",
  ]);
});

test("a table tells which rules reach its rows, and a resource who reads it", () => {
  const flow = market({
    shop: ITEMS,
    desk: "item_cache: { cache: shop.item, sync: { from: shop, get: /items }, columns: { item_id: { type: text, key: true }, name: text } }, wishes: { columns: { wish_id: { type: nanoid, key: true }, item_id: text? } }",
    subjects: `${GONE}
  shop.item.{id}.created: { event: ItemMade, emit: { table: items, on: insert }, payload: { item_id: nanoid, name: string } }`,
    cascades: "[{ on: shop.item.deleted, service: desk, set_null: wishes.item_id }]",
  });
  expect(linesOf(flow, { impact: "desk.wishes" })).toEqual([
    "desk_db.wishes  a table of desk",
    "└─ shop.item.deleted  sets item_id to NULL, by a rule of desk",
  ]);
  expect(linesOf(flow, { impact: "/items" })).toEqual([
    "shop /items  what shop serves",
    "├─ desk  calls GET /items",
    "└─ desk_db.item_cache  is filled from GET /items too",
  ]);
});

test("what is private is shown by nothing and may be written, and a constraint tells what it asks", () => {
  const flow = market({
    shop: 'items: { checks: { cheap: "cost < price" }, unique: [[price, cost]], columns: { item_id: { type: nanoid, key: true }, price: integer, cost: { type: integer, private: true, check: cost > 0 } } }',
    subjects: GONE,
  });
  expect(linesOf(flow, { impact: "items.cost" })).toEqual([
    "shop_db.items.cost  integer",
    "├─ check  cost > 0",
    "├─ check  cost < price",
    "├─ unique (price, cost)  covers it",
    "└─ shop /items  takes it, and shows it to nobody",
  ]);
});

test("where a name means an event and something else, the event is meant", () => {
  const flow = market({
    shop: "items: { columns: { item_id: { type: nanoid, key: true }, sold: boolean } }, item: { row: OneItem, columns: { sold: { type: text, key: true } } }",
    subjects:
      "  shop.item.{id}.sold: { event: ItemSold, emit: { table: items, on: update }, payload: { sold: boolean } }",
  });
  expect(
    namesOfParts(flow)
      .get("shop.item.sold")
      ?.map(({ kind }) => kind),
  ).toEqual(["event", "entity field", "column"]);
});

test("rows that a hook writes by its own SQL are followed into their events, and what is not followed is said once", () => {
  const mesh = market({
    shop: ITEMS,
    desk: "notes: { soft_delete: gone_at, columns: { note_id: { type: nanoid, key: true }, text: text?, state: text, gone_at: timestamp? } }, logs: { columns: { log_id: { type: nanoid, key: true } } }",
    subjects: `  shop.item.{id}.created: { event: ItemMade, emit: { table: items, on: insert }, payload: { item_id: nanoid } }
  desk.note.{id}.written: { event: NoteWritten, emit: { table: notes, on: insert }, payload: { note_id: nanoid } }
  desk.note.{id}.changed: { event: NoteChanged, emit: { table: notes, on: update, of: [text] }, payload: { note_id: nanoid } }
  desk.note.{id}.closed: { event: NoteClosed, emit: { table: notes, on: update, when: { state: closed } }, payload: { note_id: nanoid } }
  desk.note.{id}.gone: { event: NoteGone, emit: { table: notes, on: delete }, payload: { note_id: nanoid } }`,
  }).mesh;
  const written = (tables: HookStatements["tables"], isWhole = true) =>
    linesOf(
      openFlow(mesh, {
        remarks: [],
        find: ({ service, name }) =>
          service === "desk" && name === "onItemMade"
            ? {
                at: { file: "hooks/desk.ts", line: 1 },
                reads: [],
                tells: [],
                runs: () => ({ tables, isWhole }),
              }
            : undefined,
      }),
      { explain: "shop.item.created" },
    )
      .slice(4)
      .map((line) => line.replace(/^[ │├└─]*/, ""));
  const notes = { name: "notes", how: "update" } as const;
  expect(written([{ name: "notes", how: "insert", columns: [], names: [] }])).toEqual([
    "desk_db.notes  inserts rows, by its own SQL",
    "desk.note.written  NoteWritten; nobody hears it",
  ]);
  expect(written([{ ...notes, columns: ["text"], names: ["text"] }])).toEqual([
    "desk_db.notes  updates rows, by its own SQL",
    "desk.note.changed  NoteChanged; nobody hears it",
  ]);
  expect(written([{ ...notes, columns: ["state"], names: ["state"] }])).toEqual([
    "desk_db.notes  updates rows, by its own SQL",
    "desk.note.closed  NoteClosed; nobody hears it",
  ]);
  expect(written([{ ...notes, columns: ["gone_at"], names: ["gone_at"] }])).toContain(
    "desk.note.gone  NoteGone; nobody hears it",
  );
  expect(
    written(
      [
        { name: "logs", how: "delete", columns: [], names: [] },
        { name: "elsewhere", how: "delete", columns: [], names: [] },
      ],
      false,
    ),
  ).toEqual([
    "desk_db.logs  deletes rows, by its own SQL",
    "desk_db  may write more: its SQL is made at run time, or by a package, and is not followed",
  ]);
});

test("hooks that use a table or name a column in their own SQL stand with it", () => {
  const mesh = market({
    shop: ITEMS,
    desk: "notes: { columns: { note_id: { type: nanoid, key: true }, text: text?, state: text } }",
    subjects:
      "  shop.item.{id}.created: { event: ItemMade, emit: { table: items, on: insert }, payload: { item_id: nanoid } }",
  }).mesh;
  const tables: HookStatements["tables"] = [
    { name: "notes", how: "update", columns: ["text"], names: ["text", "note_id"] },
    { name: "notes", how: "read", columns: [], names: ["note_id"] },
  ];
  const flow = openFlow(mesh, {
    remarks: [],
    find: ({ service, name }) =>
      service === "desk" && name === "onItemMade"
        ? {
            at: { file: "hooks/desk.ts", line: 1 },
            reads: [],
            tells: [],
            runs: () => ({ tables, isWhole: true }),
          }
        : undefined,
  });
  const said = (impact: string) => linesOf(flow, { impact }).filter((line) => line.includes("SQL"));
  expect(said("desk_db.notes")).toEqual(["└─ desk.onItemMade  updates rows, reads rows, by its own SQL"]);
  expect(said("desk_db.notes.text")).toEqual(["└─ desk.onItemMade  updates rows, by its own SQL"]);
  expect(said("desk_db.notes.state")).toEqual([]);
});
