import type { Edit } from "./edit.js";

/** Services that are written by hand: what they publish, and what they hear. */
export const foreignEdits: readonly Edit[] = [
  [
    "an optional field of an external publisher",
    [["cents: integer, state: string? }", "cents: integer, state: string?, note: string? }"]],
    ["compatible field-added: books; anybody 1"],
  ],
  [
    "a required field of an external publisher",
    [["cents: integer, state: string? }", "cents: integer, state: string?, note: string }"]],
    ["breaking-publisher field-required: bank, books; publisher 2"],
  ],
  [
    "a field of an external publisher must be there",
    [["state: string? }", "state: string }"]],
    ["breaking-publisher field-demanded: bank, books; publisher 2"],
  ],
  [
    "a field of an external publisher may be absent",
    [
      ["payload: { payment: string, cents: integer,", "payload: { payment: string, cents: integer?,"],
      [
        "cents: integer, state: text? }\n      oven",
        "cents: { type: integer, null: true }, state: text? }\n      oven",
      ],
    ],
    ["breaking-consumer field-optional: books; consumers 1", "compatible column-nullable: ; anybody 1"],
  ],
  [
    "fewer values of an external publisher",
    [["state: string? }", "state: { type: string, maxLength: 5, optional: true } }"]],
    ["breaking-publisher field-narrowed: bank, books; publisher 2"],
  ],
  [
    "another type of an external publisher",
    [
      ["heat: number? }", "heat: text? }"],
      ["heat: number? }", "heat: string? }"],
    ],
    [
      "breaking-publisher field-retyped: books, probe; publisher 3",
      "breaking-consumer column-widened: books; owner 3",
    ],
  ],
  [
    "a field of an external publisher goes",
    [
      ["state: string? }", "}"],
      [", state: text? }\n      oven", " }\n      oven"],
    ],
    [
      "breaking-consumer field-removed: books; consumers 2",
      "breaking-consumer column-dropped: books; owner 2",
    ],
  ],
  [
    "another subject of an external publisher",
    [["subject: ovens.{id}.heat", "subject: ovens.{id}.temperature"]],
    [
      "breaking-publisher address-changed: books, probe; publisher 3",
      "operational durable-replaced: books; operator 1",
    ],
  ],
  [
    "another type of CloudEvents",
    [["type: com.bank.returned", "type: com.bank.refunded"]],
    ["breaking-publisher address-changed: bank, books; publisher 3"],
  ],
  [
    "another field for the event's id",
    [
      [
        "event_id: reading\n    payload: { reading: string,",
        "event_id: number\n    payload: { reading: string, number: string,",
      ],
    ],
    [
      "breaking-publisher address-changed: books, probe; publisher 3",
      "breaking-publisher field-required: books, probe; publisher 2",
    ],
  ],
  [
    "the documented envelope",
    [
      ["    external: true\n    envelope: none\n", "    external: true\n    envelope: mesh\n"],
      ["    event_id: reading\n    payload: { reading: string,", "    payload: { oven: string,"],
    ],
    [
      "breaking-publisher envelope-changed: books, probe; owner 1",
      "breaking-publisher address-changed: books, probe; publisher 3",
      "breaking-publisher field-required: books, probe; publisher 2",
      "breaking-consumer field-removed: books; consumers 2",
    ],
  ],
  [
    "another envelope",
    [
      ["    envelope: none\n", "    envelope: cloudevents\n"],
      ["    event_id: reading\n", ""],
      ["subject: ovens.{id}.heat\n", "subject: ovens.{id}.heat\n    type: com.oven.measured\n"],
    ],
    [
      "breaking-publisher envelope-changed: books, probe; owner 1",
      "breaking-publisher address-changed: books, probe; publisher 3",
    ],
  ],
  [
    "a new event of an external publisher",
    [
      [
        "  books.entry.{id}.booked:",
        "  probe.oven.{id}.broken: { event: OvenBroken, change: none, subject: 'ovens.{id}.broken', payload: { cause: string } }\n  books.entry.{id}.booked:",
      ],
    ],
    ["operational event-added: books; consumers 1", "operational durable-replaced: books; operator 1"],
  ],
  [
    "an event of an external publisher goes",
    [
      [
        "  bank.payment.{id}.returned:\n    event: PaymentReturned\n    change: delete\n    subject: bank.events.{id}\n    type: com.bank.returned\n    payload: { payment: string }\n",
        "",
      ],
    ],
    ["breaking-consumer event-removed: books; consumers 2"],
  ],
  [
    "an external subscriber misses a field",
    [["payload: { entry_id: nanoid, cents: integer }", "payload: { entry_id: nanoid }"]],
    ["breaking-consumer field-removed: bank; consumers 2"],
  ],
  [
    "an external subscriber gets a field more",
    [
      [
        "payload: { entry_id: nanoid, cents: integer }",
        "payload: { entry_id: nanoid, cents: integer, payment: string? }",
      ],
    ],
    ["compatible field-added: bank; anybody 1"],
  ],
  [
    "an external subscriber gets another type",
    [
      [
        "payload: { entry_id: nanoid, cents: integer }",
        "payload: { entry_id: nanoid, cents: { from: cents, type: number } }",
      ],
    ],
    ["breaking-consumer field-widened: bank; consumers 1"],
  ],
  [
    "an external subscriber no longer hears",
    [["    subscribes: [books.entry.*]\n", ""]],
    ["operational subscription-removed: bank; anybody 1"],
  ],
  [
    "a stream that is described, and kept less long",
    [["    envelope: none\n", "    envelope: none\n    stream: { name: PROBE, max_age: 2d }\n"]],
    ["operational retention-shortened: books, probe; operator 1"],
  ],
  [
    "a stream under another name",
    [["    envelope: none\n", "    envelope: none\n    stream: { name: readings }\n"]],
    ["operational stream-renamed: books, probe; owner 1"],
  ],
];
