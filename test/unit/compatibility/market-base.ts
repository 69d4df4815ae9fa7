/** Types that several owners share, services that name and deliver otherwise, databases that share, copies of some rows. */
export const market = `mesh: market
types:
  Money: { amount: decimal, currency: { type: string, maxLength: 3 } }
  Place: { street: string, zip: string?, geo: Geo? }
  Geo: { lat: number, lon: number }
services:
  shop:
    database: shop_db
    publishes: [shop.*]
    subscribes: [people.person.*]
    http: { port: 8081, resources: { /items: items, /orders: orders, /lines: lines } }
  people:
    naming: camelCase
    database: people_db
    publishes: [people.*]
    http: { port: 8082, resources: { /persons: persons } }
  stock:
    database: stock_db
    publishes: [stock.*]
    subscribes: [shop.item.*, { to: shop.order.paid, name: picker, delivery: { attempts: 9 } }]
    http: { port: 8083, resources: { /bins: bins } }
    calls: { shop: { /orders: [patch] } }
  mail:
    subscribes: [shop.order.*, people.person.*]
    environment: { SMTP: { required: true } }
  erp:
    external: true
    publishes: [erp.*]
    subscribes: [shop.order.*]
    stream: { max_age: 3d }
  ledger:
    database: ledger_db
    subscribes: [erp.price.*, shop.order.*]
databases:
  shop_db:
    tables:
      items:
        soft_delete: gone_at
        columns:
          item_id: { type: nanoid, key: true }
          title: text
          price: numeric(10,2)
          state: { type: text, default: draft, one_of: [draft, listed, ended] }
          tags: { type: "text[]", default: "[]" }
          gone_at: timestamptz?
      orders:
        columns:
          order_id: { type: nanoid, key: true }
          person_id: text
          state: { type: text, default: open, one_of: [open, paid, sent] }
          total: numeric(10,2)
          due_at: timestamptz?
          ship_to: json?
      lines:
        key: [order_id, line_no]
        columns:
          order_id: { type: nanoid, references: orders, on_delete: cascade }
          line_no: integer
          item_id: text
          count: { type: integer, default: 1 }
  people_db:
    tables:
      persons:
        columns:
          person_id: { type: nanoid, key: true }
          full_name: text
          mail_address: { type: text, unique: true }
          home: json?
  stock_db:
    tables:
      item_cache:
        cache: shop.item
        where: { state: listed }
        sync: { from: shop, get: /items }
        columns: { item_id: { type: text, key: true }, title: text, price: "numeric(10,2)", state: text }
      bins:
        columns:
          bin_id: { type: nanoid, key: true }
          item_id: text?
          count: { type: integer, default: 0 }
          note: { type: text, null: true, private: true }
  ledger_db:
    shares: stock_db
    tables:
      prices: { existing: true, columns: { price_id: { type: bigint, key: true, defaulted: true }, sku: text, cents: bigint } }
      bookings:
        columns: { booking_id: { type: nanoid, key: true }, order_id: text, amount: "numeric(10,2)" }
subjects:
  shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: &item { item_id: nanoid, title: string, price: decimal, state: string, tags: "string[]" } }
  shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: *item }
  shop.item.{id}.deleted: { event: ItemDeleted, emit: { table: items, on: delete }, payload: { item_id: nanoid } }
  shop.order.{id}.placed: { event: OrderPlaced, emit: { table: orders, on: insert }, payload: { order_id: nanoid, person_id: string, total: decimal, to: { from: ship_to, type: "Place?" } } }
  shop.order.{id}.paid: { event: OrderPaid, emit: { table: orders, on: update, when: { state: paid } }, payload: { order_id: nanoid, sum: { from: total }, state: string } }
  shop.order.{id}.overdue: { event: OrderOverdue, emit: { table: orders, at: due_at, unless: { state: [paid, sent] } }, payload: { order_id: nanoid, person_id: string } }
  shop.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { order_id: nanoid } }
  shop.order.{id}.quoted: { event: OrderQuoted, payload: { price: Money, tax: Money?, parts: "Money[]" } }
  shop.line.{id}.added: { event: LineAdded, emit: { table: lines, on: insert }, payload: { order_id: nanoid, line_no: integer, item_id: string } }
  people.person.{id}.created: { event: PersonCreated, emit: { table: persons, on: insert }, payload: &person { personId: nanoid, fullName: string, home: { from: home, type: "Place?" } } }
  people.person.{id}.updated: { event: PersonUpdated, emit: { table: persons, on: update }, payload: *person }
  people.person.{id}.deleted: { event: PersonDeleted, emit: { table: persons, on: delete }, payload: { personId: nanoid } }
  erp.price.{id}.set: { event: PriceSet, change: update, payload: { price: Money, since: timestamp } }
cascades:
  - { on: people.person.deleted, service: shop, delete: orders.person_id }
  - { on: shop.item.deleted, service: stock, set_null: bins.item_id }
  - { on: shop.order.deleted, service: ledger, delete: bookings.order_id }
`;
