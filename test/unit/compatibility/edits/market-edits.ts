import type { Edit } from "./edit.js";

/** Several things at once, types that events share, and what one edit means in several services. */
export const marketEdits: readonly Edit[] = [
  [
    "a column under another name and of a wider type at once",
    [
      [
        "          total: numeric(10,2)\n          due_at",
        '          amount: { type: "numeric(12,2)", renamed_from: total }\n          due_at',
      ],
      ["person_id: string, total: decimal,", "person_id: string, total: { from: amount },"],
      ["sum: { from: total }", "sum: { from: amount }"],
    ],
    [
      "breaking-publisher column-renamed: ledger, shop, stock; owner 3",
      "compatible column-lengthened: ; anybody 1",
    ],
  ],
  [
    "a column under another name and of a narrower type at once",
    [
      ["          full_name: text\n", '          name: { type: "varchar(40)", renamed_from: full_name }\n'],
      [
        "payload: &person { personId: nanoid, fullName: string,",
        "payload: &person { personId: nanoid, fullName: { from: name },",
      ],
    ],
    [
      "breaking-publisher column-renamed: people, shop; owner 3",
      "destructive column-narrowed: people, shop; owner 3",
    ],
  ],
  [
    "a table moves to another service, with its cascade",
    [
      [
        "      bins:\n        columns:\n          bin_id: { type: nanoid, key: true }\n          item_id: text?\n          count: { type: integer, default: 0 }\n          note: { type: text, null: true, private: true }\n",
        "",
      ],
      [
        "      bookings:\n",
        "      bins:\n        columns:\n          bin_id: { type: nanoid, key: true }\n          item_id: text?\n          count: { type: integer, default: 0 }\n          note: { type: text, null: true, private: true }\n      bookings:\n",
      ],
      ["    http: { port: 8083, resources: { /bins: bins } }\n", ""],
      [
        "subscribes: [erp.price.*, shop.order.*]",
        "subscribes: [erp.price.*, shop.order.*, shop.item.*]\n    http: { port: 8084, resources: { /bins: bins } }",
      ],
      ["service: stock, set_null: bins.item_id", "service: ledger, set_null: bins.item_id"],
    ],
    [
      "breaking-consumer resource-removed: stock; consumers 1",
      "compatible cascade-added: ledger; anybody 1",
      "compatible resource-added: ledger; publisher 1",
      "compatible table-added: ; anybody 1",
      "destructive table-dropped: stock; owner 2",
      "operational cascade-removed: stock; anybody 1",
      "operational subscription-added: ledger; operator 1",
    ],
  ],
  [
    "fewer rows in a copy",
    [["where: { state: listed }", "where: { state: listed, title: x }"]],
    ["breaking-consumer copy-source-changed: stock; anybody 1"],
  ],
  [
    "more rows in a copy",
    [["where: { state: listed }", "where: { state: [listed, ended] }"]],
    ["breaking-consumer copy-source-changed: stock; anybody 1"],
  ],
  [
    "a copy of all rows that was one of some",
    [["        where: { state: listed }\n", ""]],
    ["breaking-consumer copy-source-changed: stock; anybody 1"],
  ],
  [
    "rows that a cascade and a copy hear of are no longer softly deleted",
    [["        soft_delete: gone_at\n", ""]],
    ["destructive soft-deletion-removed: shop, stock; owner 1"],
  ],
  [
    "rows that others reference become softly deleted",
    [
      [
        "      orders:\n        columns:",
        "      orders:\n        soft_delete: gone_at\n        columns:\n          gone_at: timestamptz?",
      ],
    ],
    [
      "breaking-publisher soft-deletion-added: ledger, shop, stock; owner 1",
      "compatible column-added: ; anybody 1",
    ],
  ],
  [
    "one column for a key of two",
    [
      [
        "        key: [order_id, line_no]\n        columns:\n          order_id: { type: nanoid, references: orders, on_delete: cascade }\n",
        "        columns:\n          line_id: { type: nanoid, key: true }\n          order_id: { type: nanoid, references: orders, on_delete: cascade }\n",
      ],
    ],
    ["breaking-publisher column-required: shop; owner 2", "destructive key-changed: shop; owner 3"],
  ],
  [
    "a moment of another, new column",
    [
      ["emit: { table: orders, at: due_at, unless", "emit: { table: orders, at: remind_at, unless"],
      [
        "          due_at: timestamptz?\n",
        "          due_at: timestamptz?\n          remind_at: timestamptz?\n",
      ],
    ],
    [
      "breaking-consumer emission-changed: erp, ledger, mail; publisher 3",
      "compatible column-added: ; anybody 1",
    ],
  ],
  [
    "a moment that more rows are told of",
    [["unless: { state: [paid, sent] } }", "unless: { state: paid } }"]],
    ["operational emission-widened: erp, ledger, mail; anybody 1"],
  ],
  [
    "an event on becoming one of two values, where it was on becoming one",
    [["when: { state: paid } }", "when: { state: [paid, sent] } }"]],
    ["breaking-consumer emission-changed: erp, ledger, mail, stock; publisher 3"],
  ],
  [
    "an event of any update that was one of a value",
    [["on: update, when: { state: paid } }", "on: update }"]],
    ["operational emission-widened: erp, ledger, mail, stock; anybody 1"],
  ],
  [
    "an update of one column that was one of any",
    [
      [
        "event: ItemUpdated, emit: { table: items, on: update }",
        "event: ItemUpdated, emit: { table: items, on: update, of: [price] }",
      ],
    ],
    ["breaking-consumer emission-narrowed: stock; consumers 2"],
  ],
  [
    "the wire of one service speaks camelCase, its payloads with it",
    [
      ["  shop:\n    database", "  shop:\n    naming: camelCase\n    database"],
      ["payload: &item { item_id: nanoid,", "payload: &item { itemId: nanoid,"],
      [
        "event: ItemDeleted, emit: { table: items, on: delete }, payload: { item_id: nanoid }",
        "event: ItemDeleted, emit: { table: items, on: delete }, payload: { itemId: nanoid }",
      ],
      [
        "{ order_id: nanoid, person_id: string, total: decimal,",
        "{ orderId: nanoid, personId: string, total: decimal,",
      ],
      ["{ order_id: nanoid, sum", "{ orderId: nanoid, sum"],
      [
        "unless: { state: [paid, sent] } }, payload: { order_id: nanoid, person_id: string }",
        "unless: { state: [paid, sent] } }, payload: { orderId: nanoid, personId: string }",
      ],
      ["on: delete }, payload: { order_id: nanoid } }", "on: delete }, payload: { orderId: nanoid } }"],
      [
        "{ order_id: nanoid, line_no: integer, item_id: string }",
        "{ orderId: nanoid, lineNo: integer, itemId: string }",
      ],
    ],
    [
      "breaking-consumer field-removed: erp, ledger, mail, stock; consumers 2",
      "breaking-consumer field-removed: erp, ledger, mail; consumers 2",
      "breaking-consumer field-removed: erp, ledger, mail; consumers 2",
      "breaking-consumer field-removed: stock; consumers 2",
      "breaking-consumer field-removed: stock; consumers 2",
      "breaking-consumer field-required: erp, ledger, mail, stock; publisher 2",
      "breaking-consumer field-required: erp, ledger, mail; publisher 2",
      "breaking-consumer field-required: erp, ledger, mail; publisher 2",
      "breaking-consumer field-required: stock; publisher 2",
      "breaking-consumer field-required: stock; publisher 2",
      "breaking-consumer member-renamed: ledger, shop, stock; publisher 3",
      "breaking-consumer member-renamed: ledger, shop, stock; publisher 3",
      "breaking-consumer member-renamed: ledger, shop, stock; publisher 3",
      "breaking-consumer member-renamed: ledger, shop, stock; publisher 3",
      "breaking-consumer member-renamed: shop, stock; publisher 3",
      "breaking-consumer member-renamed: shop; publisher 3",
      "breaking-consumer member-renamed: shop; publisher 3",
      "breaking-consumer member-renamed: shop; publisher 3",
      "compatible field-removed: ; anybody 1",
      "compatible field-removed: ; anybody 1",
      "compatible field-removed: ; anybody 1",
      "compatible field-required: ; anybody 1",
      "compatible field-required: ; anybody 1",
      "compatible field-required: ; anybody 1",
    ],
  ],
  [
    "the wire of one service no longer speaks camelCase",
    [
      ["    naming: camelCase\n    database: people_db", "    database: people_db"],
      ["&person { personId: nanoid, fullName: string,", "&person { person_id: nanoid, full_name: string,"],
      ["payload: { personId: nanoid } }", "payload: { person_id: nanoid } }"],
    ],
    [
      "breaking-consumer field-removed: mail, shop; consumers 2",
      "breaking-consumer field-removed: mail, shop; consumers 2",
      "breaking-consumer field-required: mail, shop; publisher 2",
      "breaking-consumer field-required: mail, shop; publisher 2",
      "breaking-consumer member-renamed: people, shop; publisher 3",
      "breaking-consumer member-renamed: people, shop; publisher 3",
      "breaking-consumer member-renamed: people, shop; publisher 3",
    ],
  ],
  [
    "a field of a type within a type, of three events of two owners",
    [["Geo: { lat: number,", "Geo: { lat: decimal,"]],
    [
      "breaking-publisher field-retyped: erp, ledger, mail, shop; publisher 3",
      "breaking-publisher field-retyped: mail, people, shop; publisher 3",
    ],
  ],
  [
    "a type that rows hold demands a field more",
    [["Place: { street: string,", "Place: { street: string, city: string,"]],
    [
      "breaking-publisher field-required: erp, ledger, mail, shop; publisher 2",
      "breaking-publisher field-required: mail, people, shop; publisher 2",
    ],
  ],
  [
    "a type of two owners has an optional field more",
    [
      [
        "currency: { type: string, maxLength: 3 } }",
        "currency: { type: string, maxLength: 3 }, net: boolean? }",
      ],
    ],
    ["compatible field-added: erp, ledger, mail; anybody 1", "compatible field-added: ledger; anybody 1"],
  ],
  [
    "a type of two owners takes longer texts",
    [["maxLength: 3 }", "maxLength: 5 }"]],
    [
      "breaking-consumer field-widened: erp, ledger, mail; consumers 1",
      "breaking-consumer field-widened: ledger; consumers 1",
    ],
  ],
  [
    "a field of a type of two owners may be absent",
    [["Money: { amount: decimal,", "Money: { amount: decimal?,"]],
    [
      "breaking-consumer field-widened: erp, ledger, mail; consumers 1",
      "breaking-consumer field-widened: ledger; consumers 1",
    ],
  ],
  [
    "a field of a publisher written by hand under another name",
    [["payload: { price: Money, since: timestamp }", "payload: { price: Money, from: timestamp }"]],
    [
      "breaking-consumer field-removed: ledger; consumers 2",
      "breaking-publisher field-required: erp, ledger; publisher 2",
    ],
  ],
  [
    "an event of a moment goes, which a service written by hand hears",
    [
      [
        "  shop.order.{id}.overdue: { event: OrderOverdue, emit: { table: orders, at: due_at, unless: { state: [paid, sent] } }, payload: { order_id: nanoid, person_id: string } }\n",
        "",
      ],
    ],
    ["breaking-consumer event-removed: erp, ledger, mail; consumers 2"],
  ],
  [
    "a service without a database gets one",
    [
      [
        "  mail:\n    subscribes: [shop.order.*, people.person.*]",
        "  mail:\n    database: mail_db\n    subscribes: [shop.order.*, people.person.*]",
      ],
      [
        "  ledger_db:\n",
        "  mail_db: { tables: { sent: { columns: { sent_id: { type: nanoid, key: true } } } } }\n  ledger_db:\n",
      ],
    ],
    ["compatible database-added: mail; operator 1", "operational dead-letters-changed: mail; operator 1"],
  ],
  [
    "a database no longer shares that of another service",
    [["  ledger_db:\n    shares: stock_db\n", "  ledger_db:\n"]],
    ["destructive mesh-moved: ledger; owner 1"],
  ],
  [
    "a table that exists becomes one of migrations",
    [
      [
        "prices: { existing: true, columns: { price_id: { type: bigint, key: true, defaulted: true },",
        "prices: { columns: { price_id: { type: bigint, key: true, identity: true },",
      ],
    ],
    ["destructive table-moved: ledger; owner 3"],
  ],
  [
    "a table of migrations counts as one that exists",
    [["      bookings:\n        columns", "      bookings:\n        existing: true\n        columns"]],
    ["destructive table-moved: ledger; owner 3"],
  ],
  [
    "another patience of a named consumer, and another wait",
    [
      [
        "name: picker, delivery: { attempts: 9 } }",
        "name: picker, delivery: { attempts: 3, ack_wait: 1m } }",
      ],
    ],
    ["operational delivery-changed: stock; anybody 1"],
  ],
  [
    "a patience of its own for one subscription",
    [
      [
        "subscribes: [shop.order.*, people.person.*]",
        "subscribes: [{ to: shop.order.*, delivery: { attempts: 2 } }, people.person.*]",
      ],
    ],
    ["operational delivery-changed: mail; anybody 1"],
  ],
  [
    "another patience of all, but of who says its own and of services written by hand",
    [["types:\n  Money", "delivery: { attempts: 7 }\ntypes:\n  Money"]],
    [
      "operational delivery-changed: ledger; anybody 1",
      "operational delivery-changed: ledger; anybody 1",
      "operational delivery-changed: mail; anybody 1",
      "operational delivery-changed: mail; anybody 1",
      "operational delivery-changed: shop; anybody 1",
      "operational delivery-changed: stock; anybody 1",
    ],
  ],
  [
    "all streams are kept less long, but one that says its own",
    [["types:\n  Money", "streams: { max_age: 1d }\ntypes:\n  Money"]],
    [
      "operational retention-shortened: erp, ledger, mail, shop, stock; operator 1",
      "operational retention-shortened: mail, people, shop; operator 1",
    ],
  ],
  [
    "deletions are remembered less long",
    [["types:\n  Money", "streams: { tombstones: 8d }\ntypes:\n  Money"]],
    [
      "operational retention-shortened: erp, ledger, mail, shop, stock; operator 1",
      "operational retention-shortened: erp, ledger; operator 1",
      "operational retention-shortened: mail, people, shop; operator 1",
    ],
  ],
  [
    "a stream that another system publishes to is kept longer",
    [["stream: { max_age: 3d }", "stream: { max_age: 9d }"]],
    ["operational stream-changed: erp, ledger; operator 1"],
  ],
  [
    "one more verb of a call",
    [["calls: { shop: { /orders: [patch] } }", "calls: { shop: { /orders: [patch, delete] } }"]],
    ["operational call-added: stock; operator 1"],
  ],
  [
    "another verb of a call",
    [["calls: { shop: { /orders: [patch] } }", "calls: { shop: { /orders: [post] } }"]],
    ["breaking-consumer call-removed: stock; consumers 1", "operational call-added: stock; operator 1"],
  ],
  [
    "a wider pattern that covers the same entities",
    [["subscribes: [people.person.*]\n", "subscribes: [people.*]\n"]],
    [],
  ],
  [
    "one action where all of the entity were heard",
    [["subscribes: [shop.order.*, people.person.*]", "subscribes: [shop.order.paid, people.person.*]"]],
    ["operational durable-replaced: mail; operator 1"],
  ],
  [
    "a new private column",
    [
      [
        "          title: text\n          price: numeric(10,2)\n          state: { type: text, default: draft",
        '          title: text\n          price: numeric(10,2)\n          cost: { type: "numeric(10,2)", null: true, private: true }\n          state: { type: text, default: draft',
      ],
    ],
    ["compatible column-added: ; anybody 1"],
  ],
  [
    "a private column is one no longer",
    [["note: { type: text, null: true, private: true }", "note: { type: text, null: true }"]],
    ["operational column-shown: stock; anybody 1"],
  ],
  [
    "a list of ids of another form",
    [
      ['tags: { type: "text[]", default: "[]" }', 'tags: { type: "uuid[]", default: "[]" }'],
      ['tags: "string[]" }', 'tags: "uuid[]" }'],
    ],
    ["destructive column-narrowed: shop, stock; owner 3"],
  ],
  [
    "a narrower pattern of what is published",
    [["publishes: [people.*]", "publishes: [people.person.*]"]],
    ["operational stream-changed: mail, people, shop; operator 1"],
  ],
  [
    "an event under another name with a field more",
    [
      ["event: OrderPaid,", "event: OrderSettled,"],
      ["sum: { from: total }, state: string }", "sum: { from: total }, state: string, person_id: string }"],
    ],
    [
      "breaking-consumer field-required: erp, ledger, mail, stock; publisher 2",
      "compatible event-renamed: erp, ledger, mail, stock; anybody 1",
    ],
  ],
  [
    "an action under another name, which a named consumer hears",
    [
      ["shop.order.{id}.paid:", "shop.order.{id}.settled:"],
      ["shop.order.paid, name", "shop.order.settled, name"],
    ],
    [
      "breaking-consumer event-removed: erp, ledger, mail, stock; consumers 2",
      "operational durable-replaced: stock; operator 1",
      "operational event-added: erp, ledger, mail, stock; consumers 1",
    ],
  ],
  [
    "an entity that nobody hears under another name",
    [["shop.line.{id}.added", "shop.row.{id}.added"]],
    ["compatible event-added: ; anybody 1", "compatible event-removed: ; anybody 1"],
  ],
  [
    "a cascade deletes rows that it emptied",
    [["service: stock, set_null: bins.item_id", "service: stock, delete: bins.item_id"]],
    ["destructive cascade-deletes: stock; anybody 1"],
  ],
  [
    "a cascade gets a hook before it",
    [["delete: bookings.order_id }", "delete: bookings.order_id, before: storno }"]],
    ["operational before-hook-changed: ledger; anybody 1"],
  ],
  [
    "a column of JSON becomes one of text",
    [
      ["          home: json?\n", "          home: text?\n"],
      ['home: { from: home, type: "Place?" }', "home: string?"],
    ],
    [
      "breaking-consumer field-retyped: mail, shop; publisher 3",
      "breaking-publisher column-widened: people, shop; owner 3",
    ],
  ],
  [
    "a column that must be given from now on",
    [["count: { type: integer, default: 1 }", "count: integer"]],
    ["breaking-publisher column-required: shop; owner 2"],
  ],
  [
    "a value less of a column that a copy is partial by",
    [["one_of: [draft, listed, ended] }", "one_of: [draft, listed] }"]],
    ["breaking-publisher values-narrowed: shop; owner 2"],
  ],
  [
    "a value more of a column that events ask for",
    [["one_of: [open, paid, sent] }", "one_of: [open, paid, sent, lost] }"]],
    ["compatible values-widened: ; anybody 1"],
  ],
  [
    "a key that the database counts",
    [["bin_id: { type: nanoid, key: true }", "bin_id: { type: bigint, key: true, identity: true }"]],
    ["compatible default-changed: ; anybody 1", "destructive column-narrowed: stock; owner 3"],
  ],
  [
    "a column that a cascade emptied must be there",
    [
      [
        "          item_id: text?\n          count: { type: integer, default: 0 }",
        "          item_id: { type: text, default: none }\n          count: { type: integer, default: 0 }",
      ],
      ["set_null: bins.item_id", "delete: bins.item_id"],
    ],
    [
      "breaking-publisher column-required: stock; owner 2",
      "compatible default-changed: ; anybody 1",
      "destructive cascade-deletes: stock; anybody 1",
    ],
  ],
  [
    "a copy's source under another path",
    [
      ["resources: { /items: items,", "resources: { /v2/items: items,"],
      ["get: /items", "get: /v2/items"],
    ],
    [
      "breaking-consumer resource-removed: shop, stock; publisher 3",
      "compatible resource-added: shop; publisher 1",
      "operational sync-changed: stock; operator 1",
    ],
  ],
  [
    "a service written by hand becomes a generated one",
    [
      [
        "  erp:\n    external: true\n    publishes: [erp.*]",
        "  erp:\n    database: erp_db\n    publishes: [erp.*]",
      ],
      [
        "  ledger_db:\n",
        "  erp_db: { tables: { prices: { columns: { price_id: { type: nanoid, key: true } } } } }\n  ledger_db:\n",
      ],
    ],
    [
      "breaking-publisher service-by-hand: erp, ledger; owner 1",
      "compatible database-added: erp; operator 1",
      "operational retention-shortened: erp, ledger; operator 1",
    ],
  ],
  [
    "another source",
    [["  people:\n    naming", "  people:\n    source: people-api\n    naming"]],
    ["operational source-changed: mail, people, shop; anybody 1"],
  ],
  [
    "more copies of all streams and dead letters, and a longer window of duplicates",
    [["types:\n  Money", "streams: { replicas: 3, duplicate_window: 5m }\ntypes:\n  Money"]],
    [
      "operational dead-letters-changed: mail; operator 1",
      "operational stream-changed: erp, ledger, mail, shop, stock; operator 1",
      "operational stream-changed: erp, ledger; operator 1",
      "operational stream-changed: mail, people, shop; operator 1",
    ],
  ],
  [
    "the key of an entity is of another type, and columns that hold it",
    [
      ["person_id: { type: nanoid, key: true }", "person_id: { type: uuid, key: true }"],
      ["&person { personId: nanoid,", "&person { personId: uuid,"],
      ["on: delete }, payload: { personId: nanoid }", "on: delete }, payload: { personId: uuid }"],
      ["          person_id: text\n          state", "          person_id: uuid\n          state"],
      ["order_id: nanoid, person_id: string, total", "order_id: nanoid, person_id: uuid, total"],
      [
        "payload: { order_id: nanoid, person_id: string } }",
        "payload: { order_id: nanoid, person_id: uuid } }",
      ],
    ],
    [
      "breaking-consumer member-required: people; consumers 1",
      "destructive column-narrowed: ledger, shop, stock; owner 3",
      "destructive column-narrowed: people, shop; owner 3",
    ],
  ],
  [
    "a variable that was required has a default",
    [["SMTP: { required: true }", "SMTP: { default: localhost }"]],
    ["compatible variable-optional: mail; anybody 1"],
  ],
  [
    "a reference to rows that are softly deleted",
    [
      [
        "          item_id: text\n          count: { type: integer, default: 1 }",
        "          item_id: { type: text, references: items }\n          count: { type: integer, default: 1 }",
      ],
    ],
    ["breaking-publisher reference-added: shop; owner 2"],
  ],
  [
    "an event of its own becomes one of what it names",
    [
      [
        "shop.line.{id}.added: { event: LineAdded, emit: { table: lines, on: insert }",
        "shop.order.{id}.line-added: { event: LineAdded, emit: { table: lines, on: insert, id: order_id }",
      ],
    ],
    ["compatible event-removed: ; anybody 1", "operational event-added: erp, ledger, mail; consumers 1"],
  ],
  [
    "an occurrence becomes an update",
    [
      [
        "shop.order.{id}.quoted: { event: OrderQuoted,",
        "shop.order.{id}.quoted: { event: OrderQuoted, change: update,",
      ],
    ],
    ["breaking-consumer event-meaning-changed: erp, ledger, mail; publisher 3"],
  ],
  [
    "an event on becoming another value of another column",
    [["when: { state: paid } }", "when: { person_id: x } }"]],
    ["breaking-consumer emission-changed: erp, ledger, mail, stock; publisher 3"],
  ],
  [
    "a copy's column is filled by another field",
    [
      [
        "columns: { item_id: { type: text, key: true }, title: text,",
        "columns: { item_id: { type: text, key: true }, title: { type: text, from: state },",
      ],
    ],
    ["breaking-consumer copy-filled-otherwise: stock; anybody 1"],
  ],
  [
    "a service without a database gets a named consumer",
    [
      [
        "subscribes: [shop.order.*, people.person.*]",
        "subscribes: [shop.order.*, people.person.*, { to: people.person.deleted, name: gdpr }]",
      ],
    ],
    ["operational subscription-added: mail; operator 1"],
  ],
  [
    "all streams keep fewer bytes",
    [["types:\n  Money", "streams: { max_bytes: 64MiB }\ntypes:\n  Money"]],
    [
      "operational retention-shortened: erp, ledger, mail, shop, stock; operator 1",
      "operational retention-shortened: erp, ledger; operator 1",
      "operational retention-shortened: mail, people, shop; operator 1",
    ],
  ],
  [
    "a column that exists is declared no longer, in a database that shares another",
    [["sku: text, cents: bigint", "sku: text"]],
    ["breaking-consumer column-dropped: ledger; owner 2"],
  ],
  [
    "a cascade goes, with its index",
    [["  - { on: shop.order.deleted, service: ledger, delete: bookings.order_id }\n", ""]],
    ["operational cascade-removed: ledger; anybody 1"],
  ],
  [
    "an event of its own becomes one of another entity's rows",
    [
      [
        "shop.line.{id}.added: { event: LineAdded, emit: { table: lines, on: insert }",
        "shop.line.{id}.added: { event: LineAdded, emit: { table: lines, on: insert, id: item_id }",
      ],
    ],
    ["compatible emission-changed: ; anybody 1", "compatible event-meaning-changed: ; anybody 1"],
  ],
  [
    "a constant more in a payload",
    [["payload: { order_id: nanoid, sum", "payload: { v: { const: 2 }, order_id: nanoid, sum"]],
    ["breaking-consumer field-required: erp, ledger, mail, stock; publisher 2"],
  ],
  [
    "a pattern of a field of rows that come to hold a value",
    [
      [
        "sum: { from: total }, state: string }",
        'sum: { from: total }, state: { type: string, pattern: "^p" } }',
      ],
    ],
    ["breaking-publisher field-narrowed: erp, ledger, mail, shop, stock; publisher 2"],
  ],
  [
    "what a column held before, in a payload",
    [
      [
        "sum: { from: total }, state: string }",
        "sum: { from: total }, state: string, was: { from: old.state } }",
      ],
    ],
    ["breaking-consumer field-required: erp, ledger, mail, stock; publisher 2"],
  ],
  [
    "another envelope of a publisher written by hand",
    [
      [
        "    external: true\n    publishes: [erp.*]",
        "    external: true\n    envelope: cloudevents\n    publishes: [erp.*]",
      ],
    ],
    ["breaking-publisher envelope-changed: erp, ledger; owner 1"],
  ],
  [
    "a service without a database goes",
    [
      [
        "  mail:\n    subscribes: [shop.order.*, people.person.*]\n    environment: { SMTP: { required: true } }\n",
        "",
      ],
    ],
    ["operational service-removed: mail; anybody 1"],
  ],
  [
    "a column that exists is declared as another type",
    [["sku: text, cents", "sku: varchar(10), cents"]],
    ["compatible column-narrowed: ledger; anybody 1"],
  ],
  [
    "more digits in a column and in its copy",
    [
      ["          price: numeric(10,2)\n", "          price: numeric(12,4)\n"],
      [
        'title: text, price: "numeric(10,2)", state: text }',
        'title: text, price: "numeric(12,4)", state: text }',
      ],
    ],
    [
      "breaking-consumer column-widened: stock; owner 3",
      "breaking-publisher column-widened: shop, stock; consumers 3",
    ],
  ],
  [
    "soft deletion by a new column",
    [
      ["        soft_delete: gone_at\n", "        soft_delete: gone\n"],
      [
        "          gone_at: timestamptz?\n",
        "          gone_at: timestamptz?\n          gone: { type: boolean, default: false }\n",
      ],
    ],
    ["compatible column-added: ; anybody 1", "destructive soft-deletion-removed: shop, stock; owner 1"],
  ],
  [
    "a table of a cascade under another name",
    [
      ["      bookings:\n        columns", "      entries:\n        renamed_from: bookings\n        columns"],
      ["delete: bookings.order_id", "delete: entries.order_id"],
    ],
    ["breaking-publisher table-renamed: ledger; owner 1"],
  ],
  [
    "a column of a cascade under another name",
    [
      [
        "booking_id: { type: nanoid, key: true }, order_id: text,",
        "booking_id: { type: nanoid, key: true }, ref_order: { type: text, renamed_from: order_id },",
      ],
      ["delete: bookings.order_id", "delete: bookings.ref_order"],
    ],
    ["breaking-publisher column-renamed: ledger; owner 3"],
  ],
  [
    "another port, and a resource less",
    [["port: 8083, resources: { /bins: bins }", "port: 9083, resources: {}"]],
    ["breaking-consumer resource-removed: stock; consumers 1", "operational port-changed: stock; operator 1"],
  ],
  [
    "ids that the service drew where none was given",
    [
      [
        "item_id: { type: nanoid, key: true }\n          title",
        "item_id: { type: text, key: true }\n          title",
      ],
    ],
    ["breaking-consumer member-required: shop; consumers 1"],
  ],
  [
    "a shorter text within a document that rows hold, which SQL does not look at",
    [["Place: { street: string,", "Place: { street: { type: string, maxLength: 9 },"]],
    [
      "breaking-publisher field-narrowed: erp, ledger, mail, shop; publisher 2",
      "breaking-publisher field-narrowed: mail, people, shop; publisher 2",
    ],
  ],
];
