import { describe, expect, test } from "vitest";
import { compileMesh } from "../../../generator/compile.js";
import type { Patch } from "../compatibility/edits/edit.js";
import { railway } from "../compatibility/railway-base.js";

/*
 * Edits of a mesh as an expert judges them: which of them `mesh check` should warn of, by which code, and which are nothing
 * to be warned of.
 */

type Hooks = readonly { readonly name: string; readonly text: string }[];

const HOOKS: Hooks = [
  {
    name: "board.ts",
    text: "export const boardHooks = { async onTrainPlanned() {}, async onTrainLeft() {} };",
  },
  { name: "gate.ts", text: "export const gateHooks = { sweeper: { async onTicketExpired() {} } };" },
  { name: "booking.ts", text: "bookingPublisher.ticketQuoted;" },
];
const sane = railway
  .replace(
    "      fare_cache:\n",
    "      fare_cache: # mesh-ignore cache-without-sync: tariff tells of every fare each night\n",
  )
  .replace(
    'name: text, height: "numeric(6,1)" }\n',
    'name: text, height: "numeric(6,1)" } # mesh-ignore unsettled-unique: codes do not change hands\n',
  );

function warnedOf(patch: Patch, hooks: Hooks = HOOKS): readonly string[] {
  const text = patch.reduce((before, [from, to]) => {
    expect(before, `the edit finds ${JSON.stringify(from)}`).toContain(from);
    return before.replace(from, () => to);
  }, sane);
  const { diagnostics } = compileMesh(text, { file: "m", hooks });
  return diagnostics.map(({ severity, code, message }) => (severity === "warning" ? code : message)).sort();
}

const ticket = (column: string): Patch => [
  ["          traveller: text\n", `          traveller: text\n          ${column}\n`],
];
const subject = (line: string): readonly [string, string] => ["cascades:\n", `  ${line}\ncascades:\n`];
const rule = (line: string): readonly [string, string] => ["cascades:\n", `cascades:\n  - ${line}\n`];

test("the mesh that is edited is warned of nothing", () => {
  expect(warnedOf([])).toEqual([]);
});

describe("an edit that is warned of:", () => {
  test.each<readonly [title: string, patch: Patch, codes: readonly string[]]>([
    [
      "a column that holds a station's id, and no rule",
      ticket("station_id: text"),
      ["foreign-id-without-rule"],
    ],
    [
      "a column of another name that ends in one",
      ticket("via_station_id: text?"),
      ["foreign-id-without-rule"],
    ],
    [
      "a list of stations' ids that no hook looks after",
      ticket('station_ids: "text[]"'),
      ["foreign-ids-in-list"],
    ],
    [
      "a copied entity whose changes are no longer told",
      [
        [
          "  network.station.{id}.changed: { event: StationChanged, emit: { table: stations, on: update }, payload: *station }\n",
          "",
        ],
      ],
      ["cache-misses-changes"],
    ],
    [
      "a copied entity whose deletion is no longer told",
      [
        [
          "  network.station.{id}.closed: { event: StationClosed, emit: { table: stations, on: delete }, payload: { station_id: nanoid } }\n",
          "",
        ],
        ["  - { on: network.station.closed, service: booking, delete: tickets.from_id }\n", ""],
      ],
      ["cache-misses-changes"],
    ],
    [
      "a copy that takes no snapshots, of a service that serves the list",
      [["        sync: { from: network, get: /stations }\n", ""]],
      ["cache-without-sync"],
    ],
    [
      "an update that is told for one column, where a copy keeps four",
      [
        [
          "event: TrainChanged, emit: { table: trains, on: update }",
          "event: TrainChanged, emit: { table: trains, on: update, of: [speed] }",
        ],
      ],
      ["cache-column-stale", "cache-column-stale", "cache-column-stale"],
    ],
    ["a type that nothing uses", [["types:\n", "types:\n  Zone: { code: string }\n"]], ["unused-type"]],
    [
      "an entity for each of many things",
      [subject("network.line-43.{id}.moved: { event: LineMoved, payload: { at: timestamp } }")],
      ["id-in-subject", "silent-event"],
    ],
    [
      "a pattern that no subject matches",
      [
        [
          "publishes: [network.*]",
          "publishes: [network.station.*, network.train.*, network.platform.*, network.signal.*]",
        ],
      ],
      ["unused-pattern"],
    ],
    [
      "a stream that is kept for half an hour, which a service without snapshots hears",
      [["max_age: 10d", "max_age: 30m"]],
      ["short-retention"],
    ],
    [
      "a service that has no part in the mesh",
      [["  board:\n", "  spare: { external: true }\n  board:\n"]],
      ["unused-service"],
    ],
    [
      "a service that hears and does nothing",
      [["  board:\n", "  lounge: { subscribes: [booking.ticket.*] }\n  board:\n"]],
      ["idle-subscription"],
    ],
    [
      "an event that neither rows nor code publish",
      [subject("booking.refund.{id}.asked: { event: RefundAsked, payload: { refund_id: string } }")],
      ["silent-event"],
    ],
    [
      "trains that go with their last ticket, which goes with its train",
      [
        ["          remark: { type: text", "          last_ticket: text?\n          remark: { type: text"],
        ["    publishes: [network.*]\n", "    publishes: [network.*]\n    subscribes: [booking.ticket.*]\n"],
        rule("{ on: booking.ticket.gone, service: network, delete: trains.last_ticket }"),
      ],
      ["deletion-loop"],
    ],
    [
      "a rule in place of a reference in the same database",
      [
        [
          "ticket_id: { type: nanoid, references: tickets, on_delete: cascade }\n          cents",
          "ticket_id: text\n          cents",
        ],
        ["subscribes: [network.station.*,", "subscribes: [booking.ticket.*, network.station.*,"],
        rule("{ on: booking.ticket.gone, service: booking, delete: refunds.ticket_id }"),
      ],
      ["cascade-within-service"],
    ],
    [
      "a text now, not the time",
      [["          label: text\n", "          label: { type: text, default: now }\n"]],
      ["default-now-as-text"],
    ],
    [
      "a default that one row can have",
      [
        [
          'code: { type: "varchar(5)", unique: true }',
          'code: { type: "varchar(5)", unique: true, default: XX }',
        ],
      ],
      ["default-once"],
    ],
    [
      "a copy's column that no event carries",
      [['name: text, height: "numeric(6,1)" }', 'name: text, colour: text?, height: "numeric(6,1)" }']],
      ["cache-column-without-source"],
    ],
    [
      "a unique number in a copy, which cannot make way",
      [
        [
          "          legs: json?\n",
          "          serial: { type: integer, unique: true }\n          legs: json?\n",
        ],
        [
          "cents: integer, holder: { from: traveller },",
          "cents: integer, serial: integer, holder: { from: traveller },",
        ],
        [
          "[open, paid, used] }, holder: text }",
          "[open, paid, used] }, serial: { type: integer, unique: true }, holder: text }",
        ],
      ],
      ["unsettled-unique"],
    ],
    [
      "an external entity that nobody hears",
      [subject("tariff.zone.{id}.set: { event: ZoneSet, change: update, payload: { zone: string } }")],
      ["unheard-entity"],
    ],
    [
      "a comment that silences nothing",
      [
        [
          "        sync: { from: network, get: /stations }\n",
          "        sync: { from: network, get: /stations } # mesh-ignore cache-without-sync: none\n",
        ],
      ],
      ["unused-ignore"],
    ],
  ])("%s", (_, patch, codes) => {
    expect(warnedOf(patch)).toEqual(codes);
  });
});

const UNWARNED: readonly (readonly [title: string, patch: Patch, hooks?: Hooks])[] = [
  ["a column that only sounds like a station", ticket("station_name: text")],
  ["an id of another form", ticket("legacy_station_id: bigint?")],
  [
    "a column that holds a station's id, and its rule",
    [
      ...ticket("via_station_id: text?"),
      rule("{ on: network.station.closed, service: booking, set_null: tickets.via_station_id }"),
    ],
  ],
  [
    "a list of stations' ids that a hook looks after",
    ticket('station_ids: "text[]"'),
    [
      ...HOOKS.slice(0, 2),
      {
        name: "booking.ts",
        text: "bookingPublisher.ticketQuoted; export const bookingHooks = { async onStationClosed() {} };",
      },
    ],
  ],
  [
    "a longer text in a column and in its copy",
    [
      ['"varchar(5)"', '"varchar(9)"'],
      ['"varchar(5)"', '"varchar(9)"'],
    ],
  ],
  [
    "a copy that holds more than its owner",
    [['name: text, height: "numeric(6,1)" }', 'name: text, height: "numeric(8,1)" }']],
  ],
  ["an index", [["        indexes: [[line]]\n", "        indexes: [[line], [state]]\n"]]],
  [
    "a column with its field and its copy",
    [
      ["          closed_at: timestamptz?\n", "          town: text?\n          closed_at: timestamptz?\n"],
      [
        "code: string, name: string, height: decimal }",
        "code: string, name: string, height: decimal, town: string? }",
      ],
      ['name: text, height: "numeric(6,1)" }', 'name: text, town: text?, height: "numeric(6,1)" }'],
    ],
  ],
  ["a copy without a column", [["          kmh: { type: smallint, from: top_speed }\n", ""]]],
  ["an event of two columns", [["of: [delay] }", "of: [delay, line] }"]]],
  [
    "an event of a state, beside that of all updates",
    [
      subject(
        "network.train.{id}.started: { event: TrainStarted, change: none, emit: { table: trains, on: update, when: { state: running } }, payload: { train_id: nanoid } }",
      ),
    ],
  ],
  [
    "a type that a type uses",
    [
      ["types:\n", "types:\n  Zone: { code: string }\n"],
      ["class: { enum: [first, second] } }", "class: { enum: [first, second] }, zone: Zone? }"],
    ],
  ],
  ["a stream that is kept longer", [["max_age: 10d", "max_age: 30d"]]],
  ["deletions that are remembered for ever", [["tombstones: 60d", "tombstones: 0"]]],
  [
    "a service written by hand that only calls",
    [["  board:\n", "  kiosk: { external: true, calls: { booking: { /tickets: [post] } } }\n  board:\n"]],
  ],
  [
    "tickets that lose their station in place of going with it",
    [
      ["delete: tickets.from_id", "set_null: tickets.from_id"],
      ["          from_id: text\n", "          from_id: text?\n"],
    ],
  ],
  [
    "a default that many rows can have",
    [
      ["          label: text\n", '          label: { type: text, default: "-" }\n'],
      ["        unique: [[train_id, label]]\n", ""],
    ],
  ],
  [
    "rows that are deleted softly",
    [
      ["      passes:\n", "      passes:\n        soft_delete: used_at\n"],
      ["          gate_no: integer?\n", "          gate_no: integer?\n          used_at: timestamptz?\n"],
    ],
  ],
  [
    "a private column",
    [
      [
        "          label: text\n",
        "          label: text\n          note: { type: text, null: true, private: true }\n",
      ],
    ],
  ],
  [
    "an external entity that a service hears",
    [
      subject("tariff.zone.{id}.set: { event: ZoneSet, change: update, payload: { zone: string } }"),
      ["    subscribes: [network.train.*]\n", "    subscribes: [network.train.*, tariff.zone.*]\n"],
    ],
    [
      {
        name: "board.ts",
        text: "export const boardHooks = { async onTrainPlanned() {}, async onZoneSet() {} };",
      },
      ...HOOKS.slice(1),
    ],
  ],
  ["a copy that is asked more often", [["every: 1h", "every: 10m"]]],
  [
    "a table that nobody hears of",
    [
      [
        "      refunds:\n",
        "      notes: { columns: { note_id: { type: nanoid, key: true }, text: text } }\n      refunds:\n",
      ],
    ],
  ],
];

test.each(UNWARNED.map(([title, patch, hooks = HOOKS]) => [title, patch, hooks] as const))(
  "an edit that is not warned of: %s",
  (_, patch, hooks) => {
    expect(warnedOf(patch, hooks)).toEqual([]);
  },
);
