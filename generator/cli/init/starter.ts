/** The files of a new project. Small on purpose: an architect reads the file once and starts to edit. */
export const STARTER_MESH = `# yaml-language-server: $schema=./generated/mesh.schema.json
#
# The whole mesh. Edit, then: npx mesh generate && npx mesh dev
mesh: shop
description: Customers, and orders that know whose they are.

services:
  customers:
    database: customers_db
    publishes: [customers.*]              # every event of this service
    http:
      port: 8091
      resources:
        /api/customers: customers         # REST over an owned table; its GET is also the snapshot for caches

  orders:
    database: orders_db
    publishes: [orders.*]
    subscribes: [customers.customer.*]    # keeps customer_cache, sets off the cascade below
    http:
      port: 8092
      resources:
        /api/orders: orders

databases:
  customers_db:
    tables:
      customers:
        columns:
          customer_id: { type: nanoid, key: true }
          email:       { type: text, unique: true }
          name:        { type: text, default: "" }
          created_at:  { type: timestamp, default: now }

  orders_db:
    tables:
      customer_cache:
        cache: customers.customer         # a read-only copy, kept by customers.customer.* events
        sync: { from: customers, get: /api/customers }
        columns:
          customer_id: { type: text, key: true }
          email:       { type: text }
          name:        { type: text, default: "" }
          synced_at:   { type: timestamp, null: true, default: now }
      orders:
        indexes: [[customer_id]]
        columns:
          order_id:    { type: nanoid, key: true }
          customer_id: { type: text }
          item:        { type: text }
          quantity:    { type: integer, default: 1 }
          created_at:  { type: timestamp, default: now }

# {service}.{entity}.{id}.{action}: an event is written in the transaction that changes the row.
subjects:
  customers.customer.{id}.created:
    event: CustomerCreated
    emit: { table: customers, on: insert }
    payload: { customer_id: nanoid, email: string, name: string }
  customers.customer.{id}.updated:
    event: CustomerUpdated
    emit: { table: customers, on: update }
    payload: { customer_id: nanoid, email: string, name: string }
  customers.customer.{id}.deleted:
    event: CustomerDeleted
    emit: { table: customers, on: delete }
    payload: { customer_id: nanoid, email: string }

  orders.order.{id}.placed:
    event: OrderPlaced
    emit: { table: orders, on: insert }
    payload: { order_id: nanoid, customer_id: string, item: string, quantity: integer }
  orders.order.{id}.deleted:
    event: OrderDeleted
    emit: { table: orders, on: delete }
    payload: { order_id: nanoid, customer_id: string }

# What must go when something is deleted. Add "before: aHookName" to call a hook of yours for each row first.
cascades:
  - { on: customers.customer.deleted, service: orders, delete: orders.customer_id }
`;

/** The folder that the generator never touches. */
export const STARTER_HOOKS = `import type { OrdersHooks } from "../generated/orders/service.js";

/** What orders does for a customer beyond the cache and the cascade in mesh.yaml. */
export const ordersHooks: OrdersHooks = {
  async onCustomerCreated({ event, logger }) {
    logger.info({ customer: event.customer_id }, "a customer to sell to");
  },
};
`;

export const STARTER_TSCONFIG = {
  compilerOptions: {
    target: "ES2023",
    module: "NodeNext",
    moduleResolution: "NodeNext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    skipLibCheck: true,
    rootDir: ".",
    outDir: "dist",
    noEmit: true,
  },
  include: ["generated", "hooks"],
};

/** tsc neither removes what is no longer there, nor copies what services read from beside their code. */
const CLEAN = "node -e \"fs.rmSync('dist', { recursive: true, force: true })\"";
const COPY_DATA =
  "node -e \"for (const from of ['generated', 'sql']) if (fs.existsSync(from)) fs.cpSync(from, 'dist/' + from, { recursive: true, filter: (path) => fs.statSync(path).isDirectory() || /[.]sql$|openapi[.]json$/.test(path) })\"";

export const STARTER_SCRIPTS: Readonly<Record<string, string>> = {
  generate: "mesh generate",
  dev: "mesh dev",
  check: "mesh generate --check && tsc",
  build: `${CLEAN} && tsc --noEmit false && ${COPY_DATA}`,
};

export const STARTER_IGNORES: readonly string[] = ["node_modules/", "dist/", ".mesh/", ".env"];

/** The same line ends on every machine, and no generated file in a review's way. */
export const STARTER_ATTRIBUTES: readonly string[] = [
  "* text=auto eol=lf",
  "generated/** linguist-generated",
];

export const STARTER_DEVELOPMENT: Readonly<Record<string, string>> = {
  "@types/node": "^20.19.0",
  "@types/pg": "^8.20.0",
  typescript: "^7.0.0",
};
