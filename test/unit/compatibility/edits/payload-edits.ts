import type { Edit } from "./edit.js";

const PLACED =
  "payload: { order_id: nanoid, state: string, total: integer, note: string? }\n  shop.order.{id}.changed";
const placed = (payload: string): readonly [string, string] => [
  PLACED,
  `payload: ${payload}\n  shop.order.{id}.changed`,
];

/** Fields of events: of rows, which the generated publisher fills, and of OrderReminded, which code publishes. */
export const payloadEdits: readonly Edit[] = [
  [
    "add an optional field",
    [placed("{ order_id: nanoid, state: string, total: integer, note: string?, code: string? }")],
    ["compatible field-added: desk, mailer; anybody 1"],
  ],
  [
    "add a required field",
    [placed("{ order_id: nanoid, state: string, total: integer, note: string?, code: string }")],
    ["breaking-consumer field-required: desk, mailer; publisher 2"],
  ],
  [
    "add a required field of two events at once",
    [
      placed("{ order_id: nanoid, state: string, total: integer, note: string?, code: string }"),
      ["note: string? }\n  shop.order.{id}.paid", "note: string?, code: string }\n  shop.order.{id}.paid"],
    ],
    ["breaking-consumer field-required: desk, mailer; publisher 2"],
  ],
  [
    "remove a required field",
    [placed("{ order_id: nanoid, state: string, note: string? }")],
    ["breaking-consumer field-removed: desk, mailer; consumers 2"],
  ],
  [
    "remove an optional field that a copy keeps",
    [placed("{ order_id: nanoid, state: string, total: integer }")],
    ["breaking-consumer field-removed: desk, mailer; consumers 2"],
  ],
  [
    "remove an optional field that hooks alone may read",
    [["      extra: { type: string, optional: true }\n", ""]],
    ["breaking-consumer field-removed: desk, mailer; consumers 2"],
  ],
  [
    "make a field optional",
    [placed("{ order_id: nanoid, state: string, total: integer?, note: string? }")],
    ["breaking-consumer field-optional: desk, mailer; consumers 1"],
  ],
  [
    "demand an optional field of what code publishes",
    [["extra: { type: string, optional: true }", "extra: { type: string }"]],
    ["breaking-publisher field-demanded: desk, mailer, shop; publisher 2"],
  ],
  [
    "rename a field without saying so",
    [placed("{ order_id: nanoid, state: string, sum: { from: total }, note: string? }")],
    [
      "breaking-consumer field-removed: desk, mailer; consumers 2",
      "breaking-consumer field-required: desk, mailer; publisher 2",
    ],
  ],
  [
    "from a whole number to a number",
    [placed("{ order_id: nanoid, state: string, total: number, note: string? }")],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "from a number to a decimal string",
    [
      placed("{ order_id: nanoid, state: string, total: bigint, note: string? }"),
      [
        "total: integer, note: string? }\n  shop.order.{id}.paid",
        "total: bigint, note: string? }\n  shop.order.{id}.paid",
      ],
      ["sum: { from: total }", "sum: { from: total, type: bigint }"],
    ],
    [
      "breaking-consumer field-retyped: desk, mailer; publisher 3",
      "breaking-consumer field-retyped: desk, mailer; publisher 3",
      "breaking-consumer member-retyped: desk, shop; publisher 3",
    ],
  ],
  [
    "shorten a text that rows hold",
    [placed("{ order_id: nanoid, state: { type: string, maxLength: 9 }, total: integer, note: string? }")],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "an id of another form that travels as text all the same",
    [
      [
        "payload: { customer_id: nanoid, email: string }\n  shop.customer.{id}.updated",
        "payload: { customer_id: string, email: string }\n  shop.customer.{id}.updated",
      ],
    ],
    [],
  ],
  ["reorder the fields", [placed("{ note: string?, total: integer, state: string, order_id: nanoid }")], []],
  [
    "describe a field",
    [
      [
        "extra: { type: string, optional: true }",
        "extra: { type: string, optional: true, description: More. }",
      ],
    ],
    [],
  ],
  [
    "another example of a field",
    [["extra: { type: string, optional: true }", "extra: { type: string, optional: true, examples: [a] }"]],
    [],
  ],
  [
    "a field nobody hears goes",
    [
      [
        "payload: { line_id: nanoid, article: string, amount: integer }",
        "payload: { line_id: nanoid, article: string }",
      ],
    ],
    ["compatible field-removed: ; anybody 1"],
  ],
  [
    "a field that nobody hears is demanded of rows",
    [
      [
        "payload: { line_id: nanoid, article: string, amount: integer }",
        "payload: { line_id: nanoid, article: string, amount: integer, order_id: string }",
      ],
    ],
    ["compatible field-required: ; anybody 1"],
  ],
  [
    "a value more of an enumeration",
    [["channel: { enum: [mail, post] }", "channel: { enum: [mail, post, phone] }"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "a value less of an enumeration",
    [["channel: { enum: [mail, post] }", "channel: { enum: [mail] }"]],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "other values of an enumeration",
    [["channel: { enum: [mail, post] }", "channel: { enum: [mail, phone] }"]],
    ["breaking-publisher field-retyped: desk, mailer, shop; publisher 3"],
  ],
  [
    "the same values in another order",
    [["channel: { enum: [mail, post] }", "channel: { enum: [post, mail] }"]],
    [],
  ],
  [
    "from an enumeration to any text",
    [["channel: { enum: [mail, post] }", "channel: string"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "a higher maximum",
    [["maximum: 9 }", "maximum: 99 }"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "a lower maximum",
    [["maximum: 9 }", "maximum: 5 }"]],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "a lower minimum",
    [["minimum: 1,", "minimum: 0,"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "no maximum",
    [["minimum: 1, maximum: 9 }", "minimum: 1 }"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "bounds moved both ways",
    [["minimum: 1, maximum: 9 }", "minimum: 2, maximum: 10 }"]],
    ["breaking-publisher field-retyped: desk, mailer, shop; publisher 3"],
  ],
  [
    "a longer text",
    [["maxLength: 50,", "maxLength: 80,"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "a shorter text",
    [["maxLength: 50,", "maxLength: 20,"]],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "another pattern",
    [['pattern: "^[^<]*$" }\n      tags', 'pattern: "^[^<>]*$" }\n      tags']],
    ["breaking-publisher field-retyped: desk, mailer, shop; publisher 3"],
  ],
  [
    "no pattern",
    [[', pattern: "^[^<]*$" }\n      tags', " }\n      tags"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "a pattern where there was none",
    [["extra: { type: string, optional: true }", 'extra: { type: string, optional: true, pattern: "^a" }']],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "a format, which nothing checks",
    [["extra: { type: string, optional: true }", "extra: { type: string, optional: true, format: email }"]],
    [],
  ],
  [
    "lists of another type",
    [["tags: string[]", "tags: integer[]"]],
    ["breaking-publisher field-retyped: desk, mailer, shop; publisher 3"],
  ],
  [
    "a list where there was one value",
    [["extra: { type: string, optional: true }", "extra: string[]?"]],
    ["breaking-publisher field-retyped: desk, mailer, shop; publisher 3"],
  ],
  [
    "a list of at least one",
    [["tags: string[]", "tags: { type: array, items: { type: string }, minItems: 1 }"]],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "the same list in the words of JSON Schema",
    [["tags: string[]", "tags: { type: array, items: { type: string } }"]],
    [],
  ],
  [
    "within an object: one more, optional",
    [
      [
        "          floor: { type: integer }\n",
        "          floor: { type: integer }\n          city: { type: string }\n",
      ],
    ],
    ["compatible field-added: desk, mailer; anybody 1"],
  ],
  [
    "within an object: one more, required",
    [
      [
        "          floor: { type: integer }\n        required: [street, zip]",
        "          floor: { type: integer }\n          city: { type: string }\n        required: [street, zip, city]",
      ],
    ],
    ["breaking-publisher field-required: desk, mailer, shop; publisher 2"],
  ],
  [
    "within an object: one less, required",
    [
      ["          zip: { type: string, minLength: 3 }\n", ""],
      ["required: [street, zip]", "required: [street]"],
    ],
    ["breaking-consumer field-removed: desk, mailer; consumers 2"],
  ],
  [
    "within an object: one less, optional",
    [["          floor: { type: integer }\n", ""]],
    ["breaking-consumer field-removed: desk, mailer; consumers 2"],
  ],
  [
    "within an object: no longer required",
    [["required: [street, zip]", "required: [street]"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "within an object: required",
    [["required: [street, zip]", "required: [street, zip, floor]"]],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "within an object: another type",
    [["floor: { type: integer }", "floor: { type: string }"]],
    ["breaking-publisher field-retyped: desk, mailer, shop; publisher 3"],
  ],
  [
    "within an object: a shorter text",
    [["minLength: 3", "minLength: 5"]],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "an object that takes nothing else",
    [
      [
        "        required: [street, zip]",
        "        required: [street, zip]\n        additionalProperties: false",
      ],
    ],
    ["breaking-publisher field-narrowed: desk, mailer, shop; publisher 2"],
  ],
  [
    "a type: another type of its field",
    [["Money: { amount: integer,", "Money: { amount: number,"]],
    ["breaking-consumer field-widened: desk, mailer; consumers 1"],
  ],
  [
    "a type: a field more",
    [["Money: { amount: integer,", "Money: { note: string?, amount: integer,"]],
    ["compatible field-added: desk, mailer; anybody 1"],
  ],
  [
    "a type: a field more that must be there",
    [["Money: { amount: integer,", "Money: { note: string, amount: integer,"]],
    ["breaking-publisher field-required: desk, mailer, shop; publisher 2"],
  ],
  [
    "a type: a field less",
    [["Money: { amount: integer, currency", "Money: { currency"]],
    ["breaking-consumer field-removed: desk, mailer; consumers 2"],
  ],
  [
    "a type of the same form under another name",
    [
      ["Money: {", "Price: {"],
      ["due: Money", "due: Price"],
      ["fees: Money[]", "fees: Price[]"],
    ],
    [],
  ],
  [
    "a constant of another value",
    [["kind: { const: paid }", "kind: { const: settled }"]],
    ["breaking-consumer field-retyped: desk, mailer; publisher 3"],
  ],
  [
    "another column behind a field",
    [
      ["note: text?", "note: text?\n          fee: { type: integer, default: 0 }"],
      ["sum: { from: total }", "sum: { from: fee }"],
    ],
    [
      "compatible column-added: ; anybody 1",
      "breaking-consumer field-shows-other: desk, mailer; publisher 3",
    ],
  ],
  ["the same column, said in full", [["sum: { from: total }", "sum: { from: total, type: integer }"]], []],
  ["describe an event", [["description: A customer has ordered.", "description: Somebody has ordered."]], []],
  [
    "an event renamed, with a field that goes for hooks of one that heard it by the old name",
    [
      ["event: OrderReminded", "event: OrderRecalled"],
      ["channel: { enum: [mail, post] }", "channel: { enum: [mail, post, fax] }"],
      ["  mailer:\n    subscribes: [shop.order.*]\n", "  mailer:\n    subscribes: [shop.customer.*]\n"],
    ],
    [
      "breaking-consumer field-widened: desk, mailer; consumers 1",
      "compatible event-renamed: desk, mailer; anybody 1",
      "operational subscription-added: mailer; operator 1",
      "operational subscription-removed: mailer; anybody 1",
    ],
  ],
  [
    "an event under another name",
    [["event: OrderPaid", "event: OrderSettled"]],
    ["compatible event-renamed: desk, mailer; anybody 1"],
  ],
  [
    "an event that says something else",
    [["change: none", "change: update"]],
    ["breaking-consumer event-meaning-changed: desk, mailer; publisher 3"],
  ],
  [
    "a new action of an entity that is heard",
    [
      [
        "  shop.order.{id}.deleted:",
        "  shop.order.{id}.held: { event: OrderHeld, change: none, payload: { order_id: nanoid } }\n  shop.order.{id}.deleted:",
      ],
    ],
    ["operational event-added: desk, mailer; consumers 1"],
  ],
  [
    "a new action of an entity that nobody hears",
    [
      [
        "  shop.line.{id}.added:",
        "  shop.line.{id}.gone: { event: LineGone, emit: { table: lines, on: delete }, payload: { line_id: nanoid } }\n  shop.line.{id}.added:",
      ],
    ],
    ["compatible event-added: ; anybody 1"],
  ],
  [
    "an action goes",
    [
      [
        "  shop.order.{id}.paid:\n    event: OrderPaid\n    emit: { table: orders, on: update, of: [state, total], when: { state: [paid, sent] } }\n    payload: { order_id: nanoid, kind: { const: paid }, sum: { from: total } }\n",
        "",
      ],
    ],
    ["breaking-consumer event-removed: desk, mailer; consumers 2"],
  ],
  [
    "an action that nobody hears goes",
    [
      [
        "  shop.line.{id}.added:\n    event: LineAdded\n    emit: { table: lines, on: insert }\n    payload: { line_id: nanoid, article: string, amount: integer }\n",
        "",
      ],
    ],
    ["compatible event-removed: ; anybody 1"],
  ],
  [
    "an action is called otherwise",
    [["shop.order.{id}.paid:", "shop.order.{id}.settled:"]],
    [
      "breaking-consumer event-removed: desk, mailer; consumers 2",
      "operational event-added: desk, mailer; consumers 1",
    ],
  ],
  [
    "an event of more operations",
    [["emit: { table: lines, on: insert }", "emit: { table: lines, on: [insert, update] }"]],
    ["operational emission-widened: ; anybody 1"],
  ],
  [
    "an event of other operations",
    [["emit: { table: lines, on: insert }", "emit: { table: lines, on: delete }"]],
    ["compatible emission-changed: ; anybody 1", "compatible event-meaning-changed: ; anybody 1"],
  ],
  [
    "an event of fewer columns",
    [["of: [state, total]", "of: [state]"]],
    ["breaking-consumer emission-narrowed: desk, mailer; consumers 2"],
  ],
  [
    "an event of more columns",
    [["of: [state, total]", "of: [state, total, note]"]],
    ["operational emission-widened: desk, mailer; anybody 1"],
  ],
  [
    "an event of fewer values",
    [["when: { state: [paid, sent] }", "when: { state: paid }"]],
    ["breaking-consumer emission-narrowed: desk, mailer; consumers 2"],
  ],
  [
    "an event of more values",
    [
      ["one_of: [open, paid, sent]", "one_of: [open, paid, sent, lost]"],
      ["when: { state: [paid, sent] }", "when: { state: [paid, sent, lost] }"],
    ],
    ["compatible values-widened: ; anybody 1", "operational emission-widened: desk, mailer; anybody 1"],
  ],
  [
    "an event without its condition",
    [[", when: { state: [paid, sent] }", ""]],
    ["operational emission-widened: desk, mailer; anybody 1"],
  ],
  [
    "an event with one more condition",
    [["when: { state: [paid, sent] }", "when: { state: [paid, sent], note: { null: true } }"]],
    ["breaking-consumer emission-narrowed: desk, mailer; consumers 2"],
  ],
  [
    "an event with another condition",
    [["when: { state: [paid, sent] }", "when: { state: open }"]],
    ["breaking-consumer emission-changed: desk, mailer; publisher 3"],
  ],
  [
    "an event that code published follows from rows",
    [
      ["    change: none\n", "    change: none\n    emit: { table: orders, on: update }\n"],
      [
        '      channel: { enum: [mail, post] }\n      attempt: { type: integer, minimum: 1, maximum: 9 }\n      text: { type: string, maxLength: 50, pattern: "^[^<]*$" }\n      tags: string[]\n      due: Money\n      fees: Money[]\n      extra: { type: string, optional: true }\n      address:\n        type: object\n        properties:\n          street: { type: string }\n          zip: { type: string, minLength: 3 }\n          floor: { type: integer }\n        required: [street, zip]\n',
        "",
      ],
    ],
    [
      "breaking-consumer emission-changed: desk, mailer; publisher 3",
      "breaking-consumer field-removed: desk, mailer; consumers 2",
      "breaking-consumer field-removed: desk, mailer; consumers 2",
      "breaking-consumer field-removed: desk, mailer; consumers 2",
      "breaking-consumer field-removed: desk, mailer; consumers 2",
      "breaking-consumer field-removed: desk, mailer; consumers 2",
      "breaking-consumer field-removed: desk, mailer; consumers 2",
      "breaking-consumer field-removed: desk, mailer; consumers 2",
      "breaking-consumer field-removed: desk, mailer; consumers 2",
    ],
  ],
];
