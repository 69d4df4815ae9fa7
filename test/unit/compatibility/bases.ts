import { market } from "./market-base.js";
import { railway } from "./railway-base.js";

/** Meshes that edits are made of: one of generated services, one with services written by hand, one of special tables. */
export const bases = {
  shop: `mesh: shop
description: Orders and those who hear of them.
services:
  shop:
    source: shop-service
    database: shop_db
    publishes: [shop.*]
    http: { port: 8081, resources: { /orders: orders, /customers: customers } }
    environment: { CURRENCY: { default: EUR }, TOKEN: { required: true } }
    stream: { max_age: 7d }
  desk:
    database: desk_db
    subscribes:
      - shop.order.*
      - shop.customer.*
    http: { port: 8082, resources: { /tickets: tickets } }
    calls: { shop: { /orders: [patch, post] } }
    delivery: { attempts: 5 }
  mailer:
    subscribes: [shop.order.*]
types:
  Money: { amount: integer, currency: { type: string, pattern: "^[A-Z]{3}$" } }
databases:
  shop_db:
    tables:
      customers:
        columns:
          customer_id: { type: nanoid, key: true }
          email: { type: text, unique: true }
          secret: { type: text, default: "", private: true }
      orders:
        indexes: [[state]]
        columns:
          order_id: { type: nanoid, key: true }
          customer_id: { type: text, references: customers, on_delete: restrict }
          state: { type: text, default: open, one_of: [open, paid, sent] }
          total: integer
          note: text?
          code: "varchar(20)"
          weight: { type: number, default: 0, check: "weight >= 0" }
          rate: "numeric(10,2)"
          placed_at: { type: timestamp, default: now }
      lines:
        unique: [[order_id, article]]
        columns:
          line_id: { type: nanoid, key: true }
          order_id: { type: text, references: orders, on_delete: cascade }
          article: text
          amount: { type: smallint, default: 1 }
  desk_db:
    tables:
      order_cache:
        cache: shop.order
        sync: { from: shop, get: /orders }
        columns:
          order_id: { type: text, key: true }
          state: text
          note: text?
          seen: { type: boolean, null: true, local: true }
      customer_cache:
        cache: shop.customer
        sync: { from: shop, get: /customers }
        columns:
          customer_id: { type: text, key: true }
          email: text
      tickets:
        checks: { long_enough: "length(subject) > 2" }
        columns:
          ticket_id: { type: nanoid, key: true }
          order_id: text
          customer_id: text?
          subject: text
          urgent: { type: boolean, default: false }
subjects:
  shop.order.{id}.placed:
    event: OrderPlaced
    description: A customer has ordered.
    change: create
    emit: { table: orders, on: insert }
    payload: { order_id: nanoid, state: string, total: integer, note: string? }
  shop.order.{id}.changed:
    event: OrderChanged
    change: update
    emit: { table: orders, on: update }
    payload: { order_id: nanoid, state: string, total: integer, note: string? }
  shop.order.{id}.paid:
    event: OrderPaid
    emit: { table: orders, on: update, of: [state, total], when: { state: [paid, sent] } }
    payload: { order_id: nanoid, kind: { const: paid }, sum: { from: total } }
  shop.order.{id}.reminded:
    event: OrderReminded
    change: none
    payload:
      order_id: nanoid
      channel: { enum: [mail, post] }
      attempt: { type: integer, minimum: 1, maximum: 9 }
      text: { type: string, maxLength: 50, pattern: "^[^<]*$" }
      tags: string[]
      due: Money
      fees: Money[]
      extra: { type: string, optional: true }
      address:
        type: object
        properties:
          street: { type: string }
          zip: { type: string, minLength: 3 }
          floor: { type: integer }
        required: [street, zip]
  shop.order.{id}.deleted:
    event: OrderDeleted
    change: delete
    emit: { table: orders, on: delete }
    payload: { order_id: nanoid }
  shop.customer.{id}.created:
    event: CustomerCreated
    emit: { table: customers, on: insert }
    payload: { customer_id: nanoid, email: string }
  shop.customer.{id}.updated:
    event: CustomerUpdated
    emit: { table: customers, on: update }
    payload: { customer_id: nanoid, email: string }
  shop.customer.{id}.deleted:
    event: CustomerDeleted
    emit: { table: customers, on: delete }
    payload: { customer_id: nanoid }
  shop.line.{id}.added:
    event: LineAdded
    emit: { table: lines, on: insert }
    payload: { line_id: nanoid, article: string, amount: integer }
cascades:
  - { on: shop.order.deleted, service: desk, delete: tickets.order_id }
  - { on: shop.customer.deleted, service: desk, set_null: tickets.customer_id }
`,
  foreign: `mesh: foreign
services:
  bank:
    external: true
    envelope: cloudevents
    publishes: [bank.*]
    subscribes: [books.entry.*]
  probe:
    external: true
    envelope: none
    publishes: [probe.*]
  books:
    database: books_db
    publishes: [books.*]
    subscribes: [bank.payment.*, probe.oven.*]
databases:
  books_db:
    tables:
      payment_cache:
        cache: bank.payment
        columns: { payment: { type: text, key: true }, cents: integer, state: text? }
      oven_cache:
        cache: probe.oven
        columns: { oven: { type: text, key: true }, heat: number? }
      entries:
        columns: { entry_id: { type: nanoid, key: true }, payment: text?, cents: integer }
subjects:
  bank.payment.{id}.received:
    event: PaymentReceived
    change: create
    subject: bank.events.{id}
    type: com.bank.received
    payload: { payment: string, cents: integer, state: string? }
  bank.payment.{id}.returned:
    event: PaymentReturned
    change: delete
    subject: bank.events.{id}
    type: com.bank.returned
    payload: { payment: string }
  probe.oven.{id}.measured:
    event: OvenMeasured
    change: update
    subject: ovens.{id}.heat
    event_id: reading
    payload: { reading: string, heat: number? }
  books.entry.{id}.booked:
    event: EntryBooked
    emit: { table: entries, on: insert }
    payload: { entry_id: nanoid, cents: integer }
`,
  library: `mesh: library
services:
  library:
    database: library_db
    publishes: [library.*]
    http: { port: 8081, resources: { /books: books, /shelf: shelf } }
  club:
    database: club_db
    subscribes:
      - library.book.*
      - { to: library.book.due, name: reminder, delivery: { attempts: 20 } }
      - library.loan.*
databases:
  library_db:
    sql: sql/library
    tables:
      books:
        soft_delete: gone_at
        columns:
          book_id: { type: nanoid, key: true }
          title: text
          state: { type: text, default: held }
          due_at: timestamptz?
          gone_at: timestamptz?
          writer: text?
      loans:
        key: [book_no, loan_no]
        columns:
          book_no: integer
          loan_no: integer
          reader: text
      readers:
        existing: true
        columns: { reader_id: { type: bigint, key: true, defaulted: true }, name: text }
      desks:
        existing: true
        columns: { desk_id: { type: bigint, key: true, defaulted: true }, name: text }
    views:
      shelf: { columns: { book_id: { type: nanoid, key: true }, name: text } }
      notes: { columns: { book_id: { type: nanoid, key: true }, note: text? } }
  club_db:
    tables:
      book_cache:
        cache: library.book
        sync: { from: library, get: /books }
        where: { state: [held, lent] }
        columns:
          book_id: { type: text, key: true }
          title: { type: text, from: label }
          state: text
subjects:
  library.book.{id}.created:
    event: BookCreated
    emit: { table: books, on: insert }
    payload: { book_id: nanoid, label: { from: title }, state: string, by: { fields: { name: { from: writer }, role: { const: writer } } } }
  library.book.{id}.updated:
    event: BookUpdated
    emit: { table: books, on: update }
    payload: { book_id: nanoid, label: { from: title }, state: string, by: { fields: { name: { from: writer }, role: { const: writer } } } }
  library.book.{id}.deleted:
    event: BookDeleted
    emit: { table: books, on: delete }
    payload: { state: string }
  library.book.{id}.due:
    event: BookDue
    emit: { table: books, at: due_at, unless: { state: back } }
    payload: { state: string }
  library.loan.{id}.made:
    event: LoanMade
    emit: { table: loans, on: insert }
    payload: { book_no: integer, reader: string }
  library.reader.{id}.joined:
    event: ReaderJoined
    emit: { table: readers, on: insert }
    payload: { name: string }
`,
  market,
  railway,
} as const;

export type Base = keyof typeof bases;
