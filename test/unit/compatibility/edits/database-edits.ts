import type { Edit } from "./edit.js";

const REST = "desk, shop";

/** Tables, columns and what they demand: of an owner whose rows HTTP shows, of copies, and of a table that nobody else reads. */
export const databaseEdits: readonly Edit[] = [
  [
    "a new table",
    [
      [
        "      lines:\n",
        "      returns:\n        columns: { return_id: { type: nanoid, key: true } }\n      lines:\n",
      ],
    ],
    ["compatible table-added: ; anybody 1"],
  ],
  [
    "a table goes",
    [
      ["      tickets:\n", "      cards:\n"],
      ["delete: tickets.order_id", "delete: cards.order_id"],
      ["set_null: tickets.customer_id", "set_null: cards.customer_id"],
      ["/tickets: tickets", "/tickets: cards"],
    ],
    [
      "destructive table-dropped: desk; owner 2",
      "compatible table-added: ; anybody 1",
      "breaking-consumer resource-table-changed: desk; publisher 3",
      "operational cascade-removed: desk; anybody 1",
      "operational cascade-removed: desk; anybody 1",
      "compatible cascade-added: desk; anybody 1",
      "compatible cascade-added: desk; anybody 1",
    ],
  ],
  [
    "a table under another name that it says",
    [
      ["      tickets:\n", "      cards:\n        renamed_from: tickets\n"],
      ["delete: tickets.order_id", "delete: cards.order_id"],
      ["set_null: tickets.customer_id", "set_null: cards.customer_id"],
      ["/tickets: tickets", "/tickets: cards"],
    ],
    ["breaking-publisher table-renamed: desk; owner 1"],
  ],
  [
    "a new column that may be NULL",
    [
      [
        "          note: text?\n          code",
        "          note: text?\n          gift: text?\n          code",
      ],
    ],
    ["compatible column-added: ; anybody 1"],
  ],
  [
    "a new column with a default",
    [
      [
        "          note: text?\n          code",
        "          note: text?\n          gift: { type: boolean, default: false }\n          code",
      ],
    ],
    ["compatible column-added: ; anybody 1"],
  ],
  [
    "a new column with the present moment as default",
    [
      [
        "          note: text?\n          code",
        "          note: text?\n          paid_at: { type: timestamptz, default: now }\n          code",
      ],
    ],
    ["compatible column-added: ; anybody 1"],
  ],
  [
    "a new column that must be given",
    [
      [
        "          note: text?\n          code",
        "          note: text?\n          gift: boolean\n          code",
      ],
    ],
    [`breaking-publisher column-required: ${REST}; owner 2`],
  ],
  [
    "a column goes",
    [['          rate: "numeric(10,2)"\n', ""]],
    [`destructive column-dropped: ${REST}; owner 2`],
  ],
  [
    "a private column goes",
    [['          secret: { type: text, default: "", private: true }\n', ""]],
    ["destructive column-dropped: shop; owner 2"],
  ],
  [
    "a column under another name that it says",
    [['rate: "numeric(10,2)"', 'price: { type: "numeric(10,2)", renamed_from: rate }']],
    [`breaking-publisher column-renamed: ${REST}; owner 3`],
  ],
  [
    "a column under another name that it does not say",
    [["          urgent: {", "          hurried: {"]],
    ["compatible column-added: ; anybody 1", "destructive column-dropped: desk; owner 2"],
  ],
  [
    "a column that events show under another name that it says",
    [
      ["          total: integer", "          sum: { type: integer, renamed_from: total }"],
      [
        "state: string, total: integer, note: string? }\n  shop.order.{id}.changed",
        "state: string, total: { from: sum }, note: string? }\n  shop.order.{id}.changed",
      ],
      [
        "state: string, total: integer, note: string? }\n  shop.order.{id}.paid",
        "state: string, total: { from: sum }, note: string? }\n  shop.order.{id}.paid",
      ],
      ["of: [state, total]", "of: [state, sum]"],
      ["sum: { from: total }", "sum: { from: sum }"],
    ],
    [`breaking-publisher column-renamed: ${REST}; owner 3`],
  ],
  [
    "a wider whole number",
    [["amount: { type: smallint, default: 1 }", "amount: { type: integer, default: 1 }"]],
    ["breaking-publisher column-widened: shop; owner 3"],
  ],
  [
    "a narrower whole number",
    [["          total: integer", "          total: smallint"]],
    [`destructive column-narrowed: ${REST}; owner 3`],
  ],
  ["a longer text", [['"varchar(20)"', '"varchar(40)"']], ["compatible column-lengthened: ; anybody 1"]],
  ["a text without a limit", [['"varchar(20)"', "text"]], ["compatible column-lengthened: ; anybody 1"]],
  ["a shorter text", [['"varchar(20)"', '"varchar(10)"']], [`destructive column-narrowed: ${REST}; owner 3`]],
  ["more digits", [['"numeric(10,2)"', '"numeric(12,2)"']], ["compatible column-lengthened: ; anybody 1"]],
  [
    "fewer decimals",
    [['"numeric(10,2)"', '"numeric(10,1)"']],
    [`destructive column-narrowed: ${REST}; owner 3`],
  ],
  [
    "from a moment to one with a time zone",
    [["placed_at: { type: timestamp, default: now }", "placed_at: { type: timestamptz, default: now }"]],
    [`breaking-publisher column-widened: ${REST}; owner 3`],
  ],
  [
    "from a text to a whole number",
    [['"varchar(20)"', "integer"]],
    [`destructive column-narrowed: ${REST}; owner 3`],
  ],
  [
    "from one value to a list",
    [["urgent: { type: boolean, default: false }", 'urgent: "boolean[]"']],
    ["breaking-publisher column-widened: desk; owner 3", "breaking-publisher column-required: desk; owner 2"],
  ],
  [
    "a column that HTTP shows may be NULL",
    [['rate: "numeric(10,2)"', 'rate: "numeric(10,2)?"']],
    [`breaking-consumer column-nullable-shown: ${REST}; consumers 1`],
  ],
  [
    "a column that nobody else sees may be NULL",
    [
      ["          article: text", "          article: text?"],
      ["payload: { line_id: nanoid, article: string,", "payload: { line_id: nanoid, article: string?,"],
    ],
    ["compatible column-nullable: ; anybody 1", "compatible field-optional: ; anybody 1"],
  ],
  [
    "a column may no longer be NULL",
    [["          note: text?\n          code", "          note: text\n          code"]],
    [`breaking-publisher column-required: ${REST}; owner 2`],
  ],
  [
    "a column may no longer be NULL, and has a default",
    [
      [
        "          note: text?\n          code",
        '          note: { type: text, default: "" }\n          code',
      ],
    ],
    [`breaking-publisher column-required: ${REST}; owner 2`, "compatible default-changed: ; anybody 1"],
  ],
  [
    "another default",
    [["urgent: { type: boolean, default: false }", "urgent: { type: boolean, default: true }"]],
    ["compatible default-changed: ; anybody 1"],
  ],
  [
    "no default",
    [["urgent: { type: boolean, default: false }", "urgent: boolean"]],
    ["breaking-publisher column-required: desk; owner 2"],
  ],
  [
    "describe a column and a table",
    [
      ["          subject: text", "          subject: { type: text, description: What it is about. }"],
      ["      tickets:\n", "      tickets:\n        description: What customers ask.\n"],
    ],
    [],
  ],
  [
    "reorder the columns of a table",
    [
      [
        "          order_id: text\n          customer_id: text?\n",
        "          customer_id: text?\n          order_id: text\n",
      ],
    ],
    [],
  ],
  [
    "unique",
    [["          subject: text", "          subject: { type: text, unique: true }"]],
    ["breaking-publisher unique-added: desk; owner 2"],
  ],
  [
    "no longer unique",
    [["email: { type: text, unique: true }", "email: text"]],
    ["compatible unique-removed: ; anybody 1"],
  ],
  [
    "unique together",
    [["      tickets:\n", "      tickets:\n        unique: [[order_id, subject]]\n"]],
    ["breaking-publisher unique-added: desk; owner 2"],
  ],
  [
    "no longer unique together",
    [["        unique: [[order_id, article]]\n", ""]],
    ["compatible unique-removed: ; anybody 1"],
  ],
  [
    "unique in a copy",
    [
      [
        "          customer_id: { type: text, key: true }\n          email: text",
        "          customer_id: { type: text, key: true }\n          email: { type: text, unique: true }",
      ],
    ],
    ["breaking-consumer unique-added: desk; publisher 2"],
  ],
  [
    "a new index",
    [["indexes: [[state]]", "indexes: [[state], [total]]"]],
    [`operational index-added: ${REST}; anybody 1`],
  ],
  [
    "an index that a reference has without saying",
    [["indexes: [[state]]", "indexes: [[state], [customer_id]]"]],
    [],
  ],
  [
    "an index goes",
    [["        indexes: [[state]]\n", ""]],
    [`operational index-removed: ${REST}; anybody 1`],
  ],
  [
    "a value more",
    [["one_of: [open, paid, sent]", "one_of: [open, paid, sent, lost]"]],
    ["compatible values-widened: ; anybody 1"],
  ],
  [
    "a value less",
    [
      ["one_of: [open, paid, sent]", "one_of: [open, paid]"],
      ["state: [paid, sent]", "state: [paid]"],
    ],
    [
      `breaking-publisher values-narrowed: ${REST}; owner 2`,
      "breaking-consumer emission-narrowed: desk, mailer; consumers 2",
    ],
  ],
  ["the same values in another order", [["one_of: [open, paid, sent]", "one_of: [paid, open, sent]"]], []],
  ["any value", [[", one_of: [open, paid, sent]", ""]], ["compatible values-widened: ; anybody 1"]],
  [
    "values where any was taken",
    [["          subject: text", "          subject: { type: text, one_of: [lost, late] }"]],
    ["breaking-publisher values-narrowed: desk; owner 2"],
  ],
  [
    "values in a copy",
    [
      [
        "          state: text\n          note: text?\n          seen",
        "          state: { type: text, one_of: [open, paid, sent] }\n          note: text?\n          seen",
      ],
    ],
    ["breaking-consumer values-narrowed: desk; publisher 2"],
  ],
  [
    "a condition on a column",
    [["          subject: text", '          subject: { type: text, check: "length(subject) < 99" }']],
    ["breaking-publisher check-added: desk; owner 2"],
  ],
  [
    "another condition on a column",
    [['check: "weight >= 0"', 'check: "weight > 0"']],
    [`breaking-publisher check-added: ${REST}; owner 2`],
  ],
  ["no condition on a column", [[', check: "weight >= 0"', ""]], ["compatible check-removed: ; anybody 1"]],
  [
    "a condition on rows",
    [["checks: {", 'checks: { named: "urgent OR customer_id IS NOT NULL",']],
    ["breaking-publisher check-added: desk; owner 2"],
  ],
  [
    "no condition on rows",
    [['        checks: { long_enough: "length(subject) > 2" }\n', ""]],
    ["compatible check-removed: ; anybody 1"],
  ],
  [
    "another condition on rows",
    [['"length(subject) > 2"', '"length(subject) > 3"']],
    ["breaking-publisher check-added: desk; owner 2", "compatible check-removed: ; anybody 1"],
  ],
  [
    "a condition on rows that a service takes snapshots of, and never writes",
    [
      [
        "email: { type: text, unique: true }",
        'email: { type: text, unique: true, check: "length(email) > 2" }',
      ],
    ],
    ["breaking-publisher check-added: shop; owner 2"],
  ],
  [
    "a new reference",
    [
      [
        "          customer_id: text?\n          subject",
        "          customer_id: { type: text, null: true, references: customer_cache, on_delete: set_null }\n          subject",
      ],
      ["  - { on: shop.customer.deleted, service: desk, set_null: tickets.customer_id }\n", ""],
    ],
    ["breaking-publisher reference-added: desk; owner 2", "operational cascade-removed: desk; anybody 1"],
  ],
  [
    "no reference",
    [["customer_id: { type: text, references: customers, on_delete: restrict }", "customer_id: text"]],
    [`operational reference-removed: ${REST}; anybody 1`],
  ],
  [
    "a reference that deletes",
    [["references: customers, on_delete: restrict", "references: customers, on_delete: cascade"]],
    [`destructive reference-deletes: ${REST}; anybody 1`],
  ],
  [
    "a reference that holds back",
    [["references: orders, on_delete: cascade", "references: orders, on_delete: restrict"]],
    ["breaking-publisher reference-restricts: shop; owner 2"],
  ],
  [
    "a reference that empties where it deleted",
    [
      [
        "order_id: { type: text, references: orders, on_delete: cascade }",
        "order_id: { type: text, null: true, references: orders, on_delete: set_null }",
      ],
    ],
    ["operational reference-removed: shop; anybody 1", "compatible column-nullable: ; anybody 1"],
  ],
  [
    "another key",
    [
      [
        "          line_id: { type: nanoid, key: true }\n          order_id: { type: text, references: orders, on_delete: cascade }\n          article: text",
        "          line_id: { type: nanoid, unique: true }\n          order_id: { type: text, references: orders, on_delete: cascade }\n          article: { type: text, key: true }",
      ],
      ["        unique: [[order_id, article]]\n", ""],
      [
        "payload: { line_id: nanoid, article: string, amount: integer }",
        "payload: { line_id: { from: line_id, type: string }, article: string, amount: integer }",
      ],
    ],
    [
      "destructive key-changed: shop; owner 3",
      "breaking-publisher unique-added: shop; owner 2",
      "compatible unique-removed: ; anybody 1",
    ],
  ],
  [
    "a column becomes private",
    [['rate: "numeric(10,2)"', 'rate: { type: "numeric(10,2)", private: true, default: 0 }']],
    ["breaking-consumer column-hidden: desk, shop; consumers 1", "compatible default-changed: ; anybody 1"],
  ],
  [
    "a private column becomes public",
    [[", private: true", ""]],
    [`operational column-shown: ${REST}; anybody 1`],
  ],
  [
    "a table becomes softly deleted",
    [
      ["      tickets:\n", "      tickets:\n        soft_delete: gone_at\n"],
      ["          urgent: {", "          gone_at: timestamptz?\n          urgent: {"],
    ],
    ["breaking-publisher soft-deletion-added: desk; owner 1", "compatible column-added: ; anybody 1"],
  ],
  [
    "a copy keeps another column",
    [
      [
        "          customer_id: { type: text, key: true }\n          email: text\n      tickets",
        "          customer_id: { type: text, key: true }\n          email: text\n          city: text?\n      tickets",
      ],
      [
        "payload: { customer_id: nanoid, email: string }\n  shop.customer.{id}.updated",
        "payload: { customer_id: nanoid, email: string, city: string? }\n  shop.customer.{id}.updated",
      ],
      [
        "payload: { customer_id: nanoid, email: string }\n  shop.customer.{id}.deleted",
        "payload: { customer_id: nanoid, email: string, city: string? }\n  shop.customer.{id}.deleted",
      ],
      ["email: { type: text, unique: true }", "email: { type: text, unique: true }\n          city: text?"],
    ],
    [
      "compatible field-added: desk; anybody 1",
      "compatible column-added: ; anybody 1",
      "compatible column-added: ; anybody 1",
    ],
  ],
  [
    "a copy without a column",
    [
      [
        "          customer_id: { type: text, key: true }\n          email: text\n",
        "          customer_id: { type: text, key: true }\n",
      ],
    ],
    ["breaking-consumer column-dropped: desk; owner 2"],
  ],
  [
    "a copy without a column that hooks fill",
    [["          seen: { type: boolean, null: true, local: true }\n", ""]],
    ["destructive column-dropped: desk; owner 2"],
  ],
  [
    "a copy goes",
    [
      [
        "      customer_cache:\n        cache: shop.customer\n        sync: { from: shop, get: /customers }\n        columns:\n          customer_id: { type: text, key: true }\n          email: text\n",
        "",
      ],
    ],
    ["breaking-consumer table-dropped: desk; owner 2"],
  ],
  [
    "a copy under another name that it says",
    [["      customer_cache:\n", "      client_cache:\n        renamed_from: customer_cache\n"]],
    ["breaking-consumer table-renamed: desk; owner 1"],
  ],
  [
    "a copy of some rows",
    [["        cache: shop.order\n", "        cache: shop.order\n        where: { state: [open, paid] }\n"]],
    ["breaking-consumer copy-source-changed: desk; anybody 1"],
  ],
  [
    "a copy is checked more often",
    [["sync: { from: shop, get: /customers }", "sync: { from: shop, get: /customers, every: 5m }"]],
    ["operational sync-changed: desk; operator 1"],
  ],
  [
    "a database gets a folder of own SQL",
    [["  desk_db:\n", "  desk_db:\n    sql: sql/desk\n"]],
    ["operational sql-folder-changed: desk; anybody 1"],
  ],
];
