import { bases } from "../bases.js";
import type { Edit } from "./edit.js";

const DESK = / {2}desk:\n[\s\S]*?(?= {2}mailer:)/.exec(bases.shop)?.[0] ?? "";

/** Services, what they hear, serve, call and need; streams, delivery, cascades; what is no change at all. */
export const serviceEdits: readonly Edit[] = [
  ["a comment", [["mesh: shop\n", "# A comment.\nmesh: shop\n"]], []],
  [
    "another description of the mesh",
    [["description: Orders and those who hear of them.", "description: Orders."]],
    [],
  ],
  [
    "another name of the mesh",
    [["mesh: shop\n", "mesh: store\n"]],
    ["operational mesh-renamed: ; anybody 1"],
  ],
  [
    "a database under another name",
    [
      ["    database: desk_db\n", "    database: counter_db\n"],
      ["  desk_db:\n", "  counter_db:\n"],
    ],
    ["destructive database-replaced: desk; owner 1", "compatible database-added: desk; operator 1"],
  ],
  [
    "a database under another name, of a service that others read and hear",
    [
      ["    database: shop_db\n", "    database: store_db\n"],
      ["  shop_db:\n", "  store_db:\n"],
    ],
    [
      "destructive database-replaced: desk, mailer, shop; owner 1",
      "compatible database-added: shop; operator 1",
    ],
  ],
  [
    "a service that serves goes",
    [
      [DESK, ""],
      [/ {2}desk_db:\n[\s\S]*?(?=subjects:)/.exec(bases.shop)?.[0] ?? "", ""],
      [/cascades:\n[\s\S]*/.exec(bases.shop)?.[0] ?? "", ""],
    ],
    [
      "breaking-consumer resource-removed: desk; consumers 1",
      "operational service-removed: desk; anybody 1",
      "operational database-removed: desk; anybody 1",
      "breaking-consumer call-removed: desk; consumers 1",
    ],
  ],
  [
    "a service under another name, with its database",
    [
      ["  desk:\n", "  counter:\n"],
      ["    database: desk_db\n", "    database: counter_db\n"],
      ["  desk_db:\n", "  counter_db:\n"],
      ["service: desk, delete", "service: counter, delete"],
      ["service: desk, set_null", "service: counter, set_null"],
    ],
    [
      "breaking-consumer call-removed: desk; consumers 1",
      "breaking-consumer resource-removed: desk; consumers 1",
      "compatible database-added: counter; operator 1",
      "compatible service-added: counter; operator 1",
      "destructive database-replaced: counter, desk; owner 1",
      "operational call-added: counter; operator 1",
      "operational service-removed: desk; anybody 1",
    ],
  ],
  [
    "a service that serves, under another name",
    [
      ["  desk:\n", "  counter:\n"],
      ["service: desk, delete", "service: counter, delete"],
      ["service: desk, set_null", "service: counter, set_null"],
    ],
    [
      "breaking-consumer call-removed: desk; consumers 1",
      "breaking-consumer resource-removed: desk; consumers 1",
      "breaking-publisher database-moved: counter; owner 1",
      "compatible service-added: counter; operator 1",
      "operational call-added: counter; operator 1",
      "operational service-removed: desk; anybody 1",
      "operational sync-changed: counter; operator 1",
      "operational sync-changed: counter; operator 1",
    ],
  ],
  [
    "a service that publishes one of the entities of its pattern alone",
    [["publishes: [shop.*]", "publishes: [shop.order.*, shop.customer.*, shop.line.*]"]],
    ["operational stream-changed: desk, mailer, shop; operator 1"],
  ],
  [
    "deletions remembered for ever",
    [["stream: { max_age: 7d }", "stream: { max_age: 7d, tombstones: 0 }"]],
    ["operational stream-changed: desk, mailer, shop; operator 1"],
  ],
  [
    "services in another order",
    [
      ["  mailer:\n    subscribes: [shop.order.*]\n", ""],
      ["services:\n", "services:\n  mailer:\n    subscribes: [shop.order.*]\n"],
    ],
    [],
  ],
  [
    "subscriptions in another order",
    [["      - shop.order.*\n      - shop.customer.*\n", "      - shop.customer.*\n      - shop.order.*\n"]],
    [],
  ],
  [
    "a source that says its default",
    [["    source: shop-service\n", "    source: shop\n"]],
    ["operational source-changed: desk, mailer, shop; anybody 1"],
  ],
  [
    "a new service",
    [["  mailer:\n", "  audit:\n    subscribes: [shop.order.*]\n  mailer:\n"]],
    ["compatible service-added: audit; operator 1"],
  ],
  [
    "a service goes",
    [["  mailer:\n    subscribes: [shop.order.*]\n", ""]],
    ["operational service-removed: mailer; anybody 1"],
  ],
  [
    "a service hears more",
    [
      [
        "  mailer:\n    subscribes: [shop.order.*]",
        "  mailer:\n    subscribes: [shop.order.*, shop.customer.*]",
      ],
    ],
    ["operational subscription-added: mailer; operator 1"],
  ],
  [
    "a service hears everything of another",
    [["  mailer:\n    subscribes: [shop.order.*]", "  mailer:\n    subscribes: [shop.*]"]],
    [
      "operational subscription-added: mailer; operator 1",
      "operational subscription-added: mailer; operator 1",
    ],
  ],
  [
    "a service hears less",
    [["  mailer:\n    subscribes: [shop.order.*]", "  mailer:\n    subscribes: [shop.customer.*]"]],
    [
      "operational subscription-removed: mailer; anybody 1",
      "operational subscription-added: mailer; operator 1",
    ],
  ],
  [
    "a service hears one action alone",
    [["  mailer:\n    subscribes: [shop.order.*]", "  mailer:\n    subscribes: [shop.order.paid]"]],
    ["operational durable-replaced: mailer; operator 1"],
  ],
  [
    "a second durable under a name",
    [["      - shop.customer.*\n", "      - shop.customer.*\n      - { to: shop.order.paid, name: bell }\n"]],
    ["operational subscription-added: desk; operator 1"],
  ],
  [
    "more attempts",
    [["delivery: { attempts: 5 }", "delivery: { attempts: 9 }"]],
    ["operational delivery-changed: desk; anybody 1", "operational delivery-changed: desk; anybody 1"],
  ],
  [
    "other pauses of one subscription",
    [["      - shop.customer.*\n", "      - { to: shop.customer.*, delivery: { backoff: [5s] } }\n"]],
    ["operational delivery-changed: desk; anybody 1"],
  ],
  [
    "a longer ack wait for the whole mesh",
    [["services:\n", "delivery: { ack_wait: 45s }\nservices:\n"]],
    [
      "operational delivery-changed: desk; anybody 1",
      "operational delivery-changed: desk; anybody 1",
      "operational delivery-changed: mailer; anybody 1",
    ],
  ],
  [
    "messages kept less long",
    [["stream: { max_age: 7d }", "stream: { max_age: 1d }"]],
    ["operational retention-shortened: desk, mailer, shop; operator 1"],
  ],
  [
    "messages kept longer",
    [["stream: { max_age: 7d }", "stream: { max_age: 30d }"]],
    ["operational stream-changed: desk, mailer, shop; operator 1"],
  ],
  [
    "fewer messages kept",
    [["stream: { max_age: 7d }", "stream: { max_age: 7d, max_messages: 1000 }"]],
    ["operational retention-shortened: desk, mailer, shop; operator 1"],
  ],
  [
    "a smaller stream",
    [["stream: { max_age: 7d }", "stream: { max_age: 7d, max_bytes: 1MiB }"]],
    ["operational retention-shortened: desk, mailer, shop; operator 1"],
  ],
  [
    "more replicas of a stream",
    [["stream: { max_age: 7d }", "stream: { max_age: 7d, replicas: 5 }"]],
    ["operational stream-changed: desk, mailer, shop; operator 1"],
  ],
  [
    "deletions remembered less long",
    [["stream: { max_age: 7d }", "stream: { max_age: 7d, tombstones: 30d }"]],
    ["operational retention-shortened: desk, mailer, shop; operator 1"],
  ],
  [
    "duplicates known for longer",
    [["stream: { max_age: 7d }", "stream: { max_age: 7d, duplicate_window: 5m }"]],
    ["operational stream-changed: desk, mailer, shop; operator 1"],
  ],
  ["another port", [["port: 8082", "port: 9082"]], ["operational port-changed: desk; operator 1"]],
  [
    "another port of a service that others ask",
    [["port: 8081", "port: 9081"]],
    ["operational port-changed: desk, shop; operator 1"],
  ],
  [
    "a new resource",
    [["/customers: customers }", "/customers: customers, /lines: lines }"]],
    ["compatible resource-added: shop; publisher 1"],
  ],
  [
    "a resource goes that nobody in the mesh asks for",
    [["    http: { port: 8082, resources: { /tickets: tickets } }\n", ""]],
    ["breaking-consumer resource-removed: desk; consumers 1"],
  ],
  [
    "a resource under another path",
    [
      ["/customers: customers }", "/clients: customers }"],
      ["get: /customers", "get: /clients"],
    ],
    [
      "breaking-consumer resource-removed: desk, shop; publisher 3",
      "compatible resource-added: shop; publisher 1",
      "operational sync-changed: desk; operator 1",
    ],
  ],
  [
    "a resource of another table",
    [["/tickets: tickets", "/tickets: customer_cache"]],
    ["breaking-consumer resource-table-changed: desk; publisher 3"],
  ],
  [
    "a service may ask for more",
    [["/orders: [patch, post]", "/orders: [patch, post, delete]"]],
    ["operational call-added: desk; operator 1"],
  ],
  [
    "a service may ask for less",
    [["/orders: [patch, post]", "/orders: [patch]"]],
    ["breaking-consumer call-removed: desk; consumers 1"],
  ],
  [
    "a service may no longer ask",
    [["    calls: { shop: { /orders: [patch, post] } }\n", ""]],
    ["breaking-consumer call-removed: desk; consumers 1"],
  ],
  [
    "a service may ask another",
    [["  mailer:\n    subscribes", "  mailer:\n    calls: { desk: { /tickets: [get] } }\n    subscribes"]],
    ["operational call-added: mailer; operator 1"],
  ],
  [
    "a variable that is needed",
    [["CURRENCY: { default: EUR }", "CURRENCY: { default: EUR }, KEY: { required: true }"]],
    ["operational variable-required: shop; operator 1"],
  ],
  [
    "a variable with a default",
    [["CURRENCY: { default: EUR }", "CURRENCY: { default: EUR }, TAX: { default: 19 }"]],
    ["compatible variable-added: shop; anybody 1"],
  ],
  [
    "a variable is needed that had a default",
    [["CURRENCY: { default: EUR }", "CURRENCY: { required: true }"]],
    ["operational variable-required: shop; operator 1"],
  ],
  [
    "a variable has another default",
    [["CURRENCY: { default: EUR }", "CURRENCY: { default: CHF }"]],
    ["operational variable-changed: shop; anybody 1"],
  ],
  [
    "a variable goes",
    [["{ CURRENCY: { default: EUR }, TOKEN", "{ TOKEN"]],
    ["compatible variable-removed: shop; anybody 1"],
  ],
  [
    "a variable is described",
    [["CURRENCY: { default: EUR }", "CURRENCY: { default: EUR, description: Of prices. }"]],
    [],
  ],
  [
    "a cascade that deletes",
    [
      [
        "cascades:\n",
        "cascades:\n  - { on: shop.customer.deleted, service: desk, delete: tickets.subject }\n",
      ],
    ],
    ["destructive cascade-added: desk; operator 1"],
  ],
  [
    "a cascade goes",
    [["  - { on: shop.order.deleted, service: desk, delete: tickets.order_id }\n", ""]],
    ["operational cascade-removed: desk; anybody 1"],
  ],
  [
    "a cascade deletes where it emptied",
    [["set_null: tickets.customer_id", "delete: tickets.customer_id"]],
    ["destructive cascade-deletes: desk; anybody 1"],
  ],
  [
    "a cascade empties where it deleted",
    [
      ["delete: tickets.order_id", "set_null: tickets.order_id"],
      [
        "          order_id: text\n          customer_id: text?\n",
        "          order_id: text?\n          customer_id: text?\n",
      ],
    ],
    [
      "operational cascade-spares: desk; anybody 1",
      "breaking-consumer column-nullable-shown: desk; consumers 1",
    ],
  ],
  [
    "a hook before a cascade",
    [["delete: tickets.order_id }", "delete: tickets.order_id, before: closeTicket }"]],
    ["operational before-hook-changed: desk; anybody 1"],
  ],
  [
    "cascades in another order",
    [
      ["  - { on: shop.order.deleted, service: desk, delete: tickets.order_id }\n", ""],
      [
        "set_null: tickets.customer_id }\n",
        "set_null: tickets.customer_id }\n  - { on: shop.order.deleted, service: desk, delete: tickets.order_id }\n",
      ],
    ],
    [],
  ],
  [
    "a service without a database gets one",
    [
      [
        "  mailer:\n    subscribes: [shop.order.*]\n",
        "  mailer:\n    database: mailer_db\n    subscribes: [shop.order.*]\n",
      ],
      [
        "databases:\n",
        "databases:\n  mailer_db:\n    tables: { mails: { columns: { mail_id: { type: nanoid, key: true } } } }\n",
      ],
    ],
    ["compatible database-added: mailer; operator 1", "operational dead-letters-changed: mailer; operator 1"],
  ],
  [
    "a new copy of what is heard already",
    [
      [
        "    subscribes:\n      - shop.order.*\n",
        "    subscribes:\n      - shop.line.*\n      - shop.order.*\n",
      ],
      [
        "      tickets:\n",
        "      line_cache:\n        cache: shop.line\n        columns: { line_id: { type: text, key: true }, article: text }\n      tickets:\n",
      ],
      ["    event: LineAdded\n", "    event: LineAdded\n    change: create\n"],
    ],
    ["operational copy-added: desk; publisher 1", "operational subscription-added: desk; operator 1"],
  ],
  [
    "a subscriber that is written by hand",
    [["  mailer:\n    subscribes", "  mailer:\n    external: true\n    subscribes"]],
    ["breaking-publisher service-by-hand: mailer; owner 1"],
  ],
  [
    "an entity moves to another service, with its table and all that names it",
    [
      [
        '      customers:\n        columns:\n          customer_id: { type: nanoid, key: true }\n          email: { type: text, unique: true }\n          secret: { type: text, default: "", private: true }\n',
        "",
      ],
      ["customer_id: { type: text, references: customers, on_delete: restrict }", "customer_id: text"],
      [", /customers: customers", ""],
      [
        "  mailer:\n",
        "  crm:\n    database: crm_db\n    publishes: [crm.*]\n    http: { port: 8083, resources: { /customers: customers } }\n  mailer:\n",
      ],
      [
        "databases:\n",
        "databases:\n  crm_db:\n    tables:\n      customers: { columns: { customer_id: { type: nanoid, key: true }, email: { type: text, unique: true } } }\n",
      ],
      ["- shop.customer.*", "- crm.customer.*"],
      ["cache: shop.customer", "cache: crm.customer"],
      ["{ from: shop, get: /customers }", "{ from: crm, get: /customers }"],
      ["  shop.customer.{id}.created", "  crm.customer.{id}.created"],
      ["  shop.customer.{id}.updated", "  crm.customer.{id}.updated"],
      ["  shop.customer.{id}.deleted", "  crm.customer.{id}.deleted"],
      ["on: shop.customer.deleted", "on: crm.customer.deleted"],
    ],
    [
      "destructive table-dropped: desk, shop; owner 2",
      "breaking-consumer event-removed: desk; consumers 2",
      "breaking-consumer event-removed: desk; consumers 2",
      "breaking-consumer event-removed: desk; consumers 2",
      "breaking-consumer resource-removed: desk, shop; consumers 1",
      "breaking-consumer copy-source-changed: desk; anybody 1",
      "operational reference-removed: desk, shop; anybody 1",
      "operational subscription-added: desk; operator 1",
      "operational subscription-removed: desk; anybody 1",
      "compatible database-added: crm; operator 1",
      "compatible service-added: crm; operator 1",
      "compatible event-added: ; anybody 1",
      "compatible event-added: ; anybody 1",
      "compatible event-added: ; anybody 1",
    ],
  ],
];
