import type { Edit } from "./edit.js";

/** What widens or narrows in owners and copies together, keys, soft deletion, moments and shared types, of a mesh of trains. */
export const railwayEdits: readonly Edit[] = [
  [
    "longer texts in a column and in its copy",
    [
      ['code: { type: "varchar(5)", unique: true }', 'code: { type: "varchar(10)", unique: true }'],
      ['code: { type: "varchar(5)", unique: true }', 'code: { type: "varchar(10)", unique: true }'],
    ],
    [
      "breaking-consumer column-lengthened: booking; consumers 1",
      "compatible column-lengthened: ; anybody 1",
    ],
  ],
  [
    "more digits in a copy alone",
    [['name: text, height: "numeric(6,1)" }', 'name: text, height: "numeric(8,1)" }']],
    ["compatible column-lengthened: ; anybody 1"],
  ],
  [
    "more decimals and digits in a column and in its copy",
    [
      ['height: "numeric(6,1)"', 'height: "numeric(7,2)"'],
      ['height: "numeric(6,1)"', 'height: "numeric(7,2)"'],
    ],
    [
      "breaking-consumer column-widened: booking; owner 3",
      "breaking-publisher column-widened: booking, network; consumers 3",
    ],
  ],
  [
    "more decimals at the cost of digits in a column and in its copy",
    [
      ['height: "numeric(6,1)"', 'height: "numeric(6,2)"'],
      ['height: "numeric(6,1)"', 'height: "numeric(6,2)"'],
    ],
    [
      "breaking-consumer column-narrowed: booking; owner 3",
      "destructive column-narrowed: booking, network; consumers 3",
    ],
  ],
  [
    "fewer digits in a column and in its copy",
    [
      ['height: "numeric(6,1)"', 'height: "numeric(4,1)"'],
      ['height: "numeric(6,1)"', 'height: "numeric(4,1)"'],
    ],
    [
      "breaking-consumer column-narrowed: booking; publisher 2",
      "destructive column-narrowed: booking, network; owner 3",
    ],
  ],
  [
    "fewer digits in a column, and as many as before in its copy",
    [['          height: "numeric(6,1)"\n', '          height: "numeric(4,1)"\n']],
    ["destructive column-narrowed: booking, network; owner 3"],
  ],
  [
    "a text without a limit in a column and in its copy",
    [
      ['line: "varchar(10)"', "line: text"],
      ['line: "varchar(10)"', "line: text"],
    ],
    [
      "breaking-consumer column-lengthened: booking; consumers 1",
      "compatible column-lengthened: ; anybody 1",
    ],
  ],
  [
    "a wider whole number in a column and in its copy of another name",
    [
      ["speed: smallint", "speed: integer"],
      ["kmh: { type: smallint,", "kmh: { type: integer,"],
    ],
    [
      "breaking-consumer column-widened: booking; owner 3",
      "breaking-publisher column-widened: booking, network; consumers 3",
    ],
  ],
  [
    "a wider whole number in a copy alone",
    [["kmh: { type: smallint,", "kmh: { type: integer,"]],
    ["breaking-consumer column-widened: booking; owner 3"],
  ],
  [
    "a narrower whole number that no event shows",
    [
      [
        "ticket_id: { type: nanoid, references: tickets, on_delete: cascade }\n          cents: integer",
        "ticket_id: { type: nanoid, references: tickets, on_delete: cascade }\n          cents: smallint",
      ],
    ],
    ["destructive column-narrowed: booking; owner 3"],
  ],
  [
    "a value more of a column that a copy is partial by",
    [["[planned, running, ended]", "[planned, running, ended, cut]"]],
    ["compatible values-widened: ; anybody 1"],
  ],
  [
    "a value more in a column and in its copy",
    [
      ["[open, paid, used]", "[open, paid, used, void]"],
      ["[open, paid, used]", "[open, paid, used, void]"],
    ],
    ["breaking-consumer values-widened: gate; consumers 1", "compatible values-widened: ; anybody 1"],
  ],
  [
    "any value in a copy of listed ones",
    [["state: { type: text, one_of: [open, paid, used] }, holder", "state: text, holder"]],
    ["compatible values-widened: ; anybody 1"],
  ],
  [
    "no longer unique, in a column and in its copy",
    [
      ['code: { type: "varchar(5)", unique: true }', 'code: "varchar(5)"'],
      ['code: { type: "varchar(5)", unique: true }', 'code: "varchar(5)"'],
    ],
    ["breaking-consumer unique-removed: booking; consumers 1", "compatible unique-removed: ; anybody 1"],
  ],
  [
    "no longer unique in a copy alone",
    [['key: true }, code: { type: "varchar(5)", unique: true }', 'key: true }, code: "varchar(5)"']],
    ["compatible unique-removed: ; anybody 1"],
  ],
  [
    "fewer rows in a copy that is asked for each hour",
    [["state: [planned, running] }\n", "state: [running] }\n"]],
    ["breaking-consumer copy-source-changed: booking; anybody 1"],
  ],
  [
    "another column in a key of three",
    [["key: [train_id, coach, seat]", "key: [train_id, coach, label]"]],
    ["destructive key-changed: booking; owner 3"],
  ],
  [
    "the columns of a key of two in another order, of which events tell",
    [["key: [station_id, number]", "key: [number, station_id]"]],
    ["destructive key-changed: network; owner 3"],
  ],
  [
    "stations are no longer softly deleted",
    [["        soft_delete: closed_at\n", ""]],
    ["destructive soft-deletion-removed: booking, network; owner 1"],
  ],
  [
    "tickets are softly deleted, though refunds reference them",
    [
      ["      tickets:\n        checks", "      tickets:\n        soft_delete: voided_at\n        checks"],
      ["          legs: json?\n", "          legs: json?\n          voided_at: timestamptz?\n"],
    ],
    [
      "breaking-publisher soft-deletion-added: booking, gate; owner 1",
      "compatible column-added: ; anybody 1",
    ],
  ],
  [
    "refunds lose their ticket where they went with it",
    [["references: tickets, on_delete: cascade", "references: tickets, on_delete: set_null, null: true"]],
    ["compatible column-nullable: ; anybody 1", "operational reference-removed: booking; anybody 1"],
  ],
  [
    "platforms go with their station, which goes softly",
    [["references: stations, on_delete: restrict", "references: stations, on_delete: cascade"]],
    ["operational reference-deletes: network; anybody 1"],
  ],
  [
    "refunds reference no ticket",
    [["{ type: nanoid, references: tickets, on_delete: cascade }\n          cents", "text\n          cents"]],
    ["operational reference-removed: booking; anybody 1"],
  ],
  [
    "tickets stay when their station closes",
    [["  - { on: network.station.closed, service: booking, delete: tickets.from_id }\n", ""]],
    ["operational cascade-removed: booking, gate, tariff; anybody 1"],
  ],
  [
    "tickets lose their station where they went with it",
    [
      ["delete: tickets.from_id", "set_null: tickets.from_id"],
      ["from_id: text\n", "from_id: text?\n"],
    ],
    [
      "breaking-consumer column-nullable-shown: booking, gate; consumers 1",
      "operational cascade-spares: booking, gate, tariff; anybody 1",
    ],
  ],
  [
    "tickets go with the station that they lead to as well",
    [
      [
        "cascades:\n",
        "cascades:\n  - { on: network.station.closed, service: booking, delete: tickets.to_id }\n",
      ],
    ],
    ["destructive cascade-added: booking, gate, tariff; operator 1"],
  ],
  [
    "a step before seats go",
    [["delete: seats.train_id }", "delete: seats.train_id, before: tellTravellers }"]],
    ["operational before-hook-changed: booking; anybody 1"],
  ],
  [
    "a moment that running trains are spared",
    [["unless: { state: ended }", "unless: { state: [ended, running] }"]],
    ["breaking-consumer emission-narrowed: board, booking; consumers 2"],
  ],
  [
    "an event of one column is one of two",
    [["of: [delay] }", "of: [delay, line] }"]],
    ["operational emission-widened: board, booking; anybody 1"],
  ],
  [
    "a field more that must be there, of one event",
    [
      [
        "{ train_id: nanoid, delay: integer, line: string }",
        "{ train_id: nanoid, delay: integer, line: string, speed: integer }",
      ],
    ],
    ["breaking-consumer field-required: board, booking; publisher 2"],
  ],
  [
    "a new column that may be NULL, and its field",
    [
      [
        "{ train_id: nanoid, delay: integer, line: string }",
        "{ train_id: nanoid, delay: integer, line: string, why: string? }",
      ],
      ["          leaves_at: timestamptz\n", "          leaves_at: timestamptz\n          why: text?\n"],
    ],
    ["compatible column-added: ; anybody 1", "compatible field-added: board, booking; anybody 1"],
  ],
  [
    "a field under another name, and the copy that follows it",
    [
      ["code: string, name: string, height", "code: string, title: { from: name }, height"],
      ['name: text, height: "numeric(6,1)" }', 'name: { type: text, from: title }, height: "numeric(6,1)" }'],
    ],
    [
      "breaking-consumer field-removed: booking; consumers 2",
      "breaking-consumer field-required: booking; publisher 2",
    ],
  ],
  [
    "an optional field of a type within a type that rows hold",
    [["class: { enum: [first, second] } }", "class: { enum: [first, second] }, vat: integer? }"]],
    ["compatible field-added: gate, tariff; anybody 1"],
  ],
  [
    "a value more of a type within a type that rows hold",
    [["[first, second]", "[first, second, sleeper]"]],
    ["breaking-consumer field-widened: gate, tariff; consumers 1"],
  ],
  [
    "a value less of a type within a type that rows hold",
    [["[first, second]", "[first]"]],
    ["breaking-publisher field-narrowed: booking, gate, tariff; publisher 2"],
  ],
  [
    "a field of an external system must be there, in its copy too",
    [
      ["cents: integer, valid: boolean? }", "cents: integer, valid: boolean }"],
      ["cents: integer, valid: boolean? }", "cents: integer, valid: boolean }"],
    ],
    [
      "breaking-consumer column-required: booking; publisher 2",
      "breaking-publisher field-demanded: booking, tariff; publisher 2",
    ],
  ],
  [
    "a narrower whole number in a copy of an external system's",
    [["cents: integer, valid: boolean? }\n", "cents: smallint, valid: boolean? }\n"]],
    ["breaking-consumer column-narrowed: booking; publisher 2"],
  ],
  [
    "a stream of one service is kept less long",
    [["max_age: 10d", "max_age: 3d"]],
    ["operational retention-shortened: board, booking, network; operator 1"],
  ],
  [
    "deletions of one service are remembered less long",
    [["tombstones: 60d", "tombstones: 30d"]],
    ["operational retention-shortened: board, booking, network; operator 1"],
  ],
  [
    "a column of a table that exists, in another's database, is declared shorter",
    [["defaulted: true }, name: text }", 'defaulted: true }, name: "varchar(40)" }']],
    ["compatible column-narrowed: gate; anybody 1"],
  ],
  [
    "a column more of a table that exists, in another's database",
    [["defaulted: true }, name: text }", "defaulted: true }, name: text, since: date? }"]],
    ["compatible column-added: ; anybody 1"],
  ],
  [
    "a database of its own where one was shared",
    [["    shares: booking_db\n", ""]],
    ["destructive mesh-moved: gate; owner 1"],
  ],
  [
    "another condition on rows",
    [['"from_id <> to_id"', '"from_id <> to_id AND cents >= 0"']],
    ["breaking-publisher check-added: booking; owner 2", "compatible check-removed: ; anybody 1"],
  ],
  [
    "no condition on a column",
    [[', check: "delay >= 0" }', " }"]],
    ["compatible check-removed: ; anybody 1"],
  ],
  [
    "an index on two columns",
    [["        checks: { has_way", "        indexes: [[train_id, state]]\n        checks: { has_way"]],
    ["operational index-added: booking, gate; anybody 1"],
  ],
  [
    "an index goes that a service's copy is read by",
    [["        indexes: [[line]]\n", ""]],
    ["operational index-removed: booking, network; anybody 1"],
  ],
  [
    "a column under another name that its field has already",
    [
      ["          traveller: text\n", "          holder: { type: text, renamed_from: traveller }\n"],
      ["holder: { from: traveller }", "holder: string"],
    ],
    ["breaking-publisher column-renamed: booking, gate; owner 3"],
  ],
  [
    "a column goes with the unique pair that it is in",
    [
      ["          label: text\n", ""],
      ["        unique: [[train_id, label]]\n", ""],
    ],
    ["destructive column-dropped: booking; owner 2"],
  ],
  [
    "a private column is shown",
    [["remark: { type: text, null: true, private: true }", "remark: text?"]],
    ["operational column-shown: booking, network; anybody 1"],
  ],
  [
    "a moment may be missing",
    [["leaves_at: timestamptz\n", "leaves_at: timestamptz?\n"]],
    ["breaking-consumer column-nullable-shown: booking, network; consumers 1"],
  ],
  [
    "a new column that a caller's patch need not give and a post must",
    [["          leaves_at: timestamptz\n", "          leaves_at: timestamptz\n          operator: text\n"]],
    ["breaking-publisher column-required: booking, network; owner 2"],
  ],
  [
    "a new column with a default, where a caller writes",
    [
      [
        "          leaves_at: timestamptz\n",
        "          leaves_at: timestamptz\n          operator: { type: text, default: state }\n",
      ],
    ],
    ["compatible column-added: ; anybody 1"],
  ],
  [
    "a copy without a column that nobody else shows",
    [["unique: true }, name: text, height", "unique: true }, height"]],
    ["breaking-consumer column-dropped: booking; owner 2"],
  ],
  [
    "a copy with a column more that events carry",
    [["[open, paid, used] }, holder: text }", "[open, paid, used] }, holder: text, cents: integer }"]],
    ["breaking-consumer column-required: gate; owner 2"],
  ],
  [
    "a copy's column is filled by another field",
    [["kmh: { type: smallint, from: top_speed }", "kmh: { type: smallint, from: top_speed, null: true }"]],
    ["compatible column-nullable: ; anybody 1"],
  ],
  [
    "a copy's column shows another text of the same row",
    [
      [
        "one_of: [open, paid, used] }, holder: text }",
        "one_of: [open, paid, used] }, holder: { type: text, from: state } }",
      ],
    ],
    ["breaking-consumer copy-filled-otherwise: gate; anybody 1"],
  ],
  ["a copy asks less often", [["every: 1h", "every: 6h"]], ["operational sync-changed: booking; operator 1"]],
  [
    "a named consumer of one moment goes",
    [[", { to: booking.ticket.expired, name: sweeper, delivery: { attempts: 8 } }]", "]"]],
    ["operational subscription-removed: gate; anybody 1"],
  ],
  [
    "a service goes that only hears",
    [["  board:\n    subscribes: [network.train.*]\n", ""]],
    ["operational service-removed: board; anybody 1"],
  ],
  [
    "an external publisher goes, and its copy",
    [
      ["  tariff:\n    external: true\n    publishes: [tariff.*]\n    subscribes: [booking.ticket.*]\n", ""],
      [", tariff.fare.*]", "]"],
      [
        "      fare_cache:\n        cache: tariff.fare\n        columns: { fare_id: { type: text, key: true }, cents: integer, valid: boolean? }\n",
        "",
      ],
      [
        "  tariff.fare.{id}.set: { event: FareSet, change: update, payload: { fare_id: string, cents: integer, valid: boolean? } }\n  tariff.fare.{id}.ended: { event: FareEnded, change: delete, payload: { fare_id: string } }\n",
        "",
      ],
    ],
    [
      "breaking-consumer event-removed: booking; consumers 2",
      "breaking-consumer event-removed: booking; consumers 2",
      "breaking-consumer table-dropped: booking; owner 2",
      "operational service-removed: booking, tariff; consumers 1",
      "operational subscription-removed: booking; anybody 1",
    ],
  ],
  [
    "a list that a copy and a caller read is served under another path",
    [
      ["/trains: trains", "/runs: trains"],
      ["network: { /trains: [patch] }", "network: { /runs: [patch] }"],
      ["get: /trains", "get: /runs"],
    ],
    [
      "breaking-consumer resource-removed: booking, network; publisher 3",
      "compatible resource-added: network; publisher 1",
      "operational sync-changed: booking; operator 1",
      "breaking-consumer call-removed: booking; publisher 3",
      "operational call-added: booking; operator 1",
    ],
  ],
  [
    "a variable with a default must be given",
    [["CURRENCY: { default: EUR }", "CURRENCY: { required: true }"]],
    ["operational variable-required: booking; operator 1"],
  ],
  [
    "a caller may also create",
    [["/trains: [patch]", "/trains: [patch, post]"]],
    ["operational call-added: booking; operator 1"],
  ],
  [
    "an event of a moment under another name",
    [["event: TrainLeft", "event: TrainDeparted"]],
    ["compatible event-renamed: board, booking; anybody 1"],
  ],
  [
    "an action of a moment under another name",
    [["network.train.{id}.left", "network.train.{id}.departed"]],
    [
      "breaking-consumer event-removed: board, booking; consumers 2",
      "operational event-added: board, booking; consumers 1",
    ],
  ],
  [
    "a shorter text that code publishes",
    [["maxLength: 80", "maxLength: 40"]],
    ["breaking-publisher field-narrowed: booking, gate, tariff; publisher 2"],
  ],
  [
    "a longer text that code publishes",
    [["maxLength: 80", "maxLength: 120"]],
    ["breaking-consumer field-widened: gate, tariff; consumers 1"],
  ],
  [
    "a table of two keys goes with its event",
    [
      [
        '      platforms:\n        key: [station_id, number]\n        columns:\n          station_id: { type: nanoid, references: stations, on_delete: restrict }\n          number: smallint\n          length: "numeric(5,1)"\n',
        "",
      ],
      [
        "  network.platform.{id}.built: { event: PlatformBuilt, emit: { table: platforms, on: insert }, payload: { station_id: nanoid, number: integer, length: decimal } }\n",
        "",
      ],
      [", /platforms: platforms", ""],
    ],
    [
      "breaking-consumer resource-removed: network; consumers 1",
      "compatible event-removed: ; anybody 1",
      "destructive table-dropped: network; owner 2",
    ],
  ],
  [
    "a whole number becomes one with decimals, in a column and in its copy",
    [
      ["          speed: smallint\n", "          speed: number\n"],
      ["kmh: { type: smallint,", "kmh: { type: number,"],
    ],
    [
      "breaking-consumer column-widened: booking; owner 3",
      "breaking-consumer field-widened: board, booking; consumers 1",
      "breaking-publisher column-widened: booking, network; consumers 3",
    ],
  ],
  [
    "a whole number becomes a decimal string, in a column and in its copy: neither release takes the other's",
    [
      ["          speed: smallint\n", "          speed: bigint\n"],
      ["kmh: { type: smallint,", "kmh: { type: bigint,"],
    ],
    [
      "breaking-consumer column-widened: booking; owner 3",
      "breaking-consumer field-retyped: board, booking; publisher 3",
      "breaking-publisher column-widened: booking, network; owner 3",
    ],
  ],
];
