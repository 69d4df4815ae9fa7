/**
 * A mesh of any size in the shape of the documented one: each service owns an entity, emits its life,
 * and keeps a cache of its predecessor's entity with one cascade.
 */
export function syntheticMesh(size: {
  readonly services: number;
  readonly eventsPerService: number;
}): string {
  const numbers = Array.from({ length: size.services }, (_, index) => index);
  return [
    "mesh: synthetic",
    "services:",
    ...numbers.flatMap((n) => [
      `  svc${n}:`,
      `    database: svc${n}_db`,
      `    publishes: [svc${n}.item.*]`,
      ...(n > 0 ? [`    subscribes: [svc${n - 1}.item.*]`] : []),
      `    http: { port: ${10_000 + n}, resources: { /api/items: items } }`,
    ]),
    "databases:",
    ...numbers.flatMap((n) => [
      `  svc${n}_db:`,
      "    tables:",
      "      items:",
      "        columns:",
      "          item_id: { type: nanoid, key: true }",
      "          name: { type: text, unique: true }",
      "          owner_id: { type: text, null: true }",
      "          state: { type: text, default: new }",
      ...(n > 0
        ? [
            `      item_cache: { cache: svc${n - 1}.item, columns: { item_id: { type: text, key: true }, name: { type: text } } }`,
          ]
        : []),
    ]),
    "subjects:",
    ...numbers.flatMap((n) => eventsOf(n).slice(0, size.eventsPerService)),
    "cascades:",
    ...numbers
      .slice(1)
      .map((n) => `  - { on: svc${n - 1}.item.deleted, service: svc${n}, set_null: items.owner_id }`),
    "",
  ].join("\n");
}

function eventsOf(n: number): string[] {
  const event = (action: string, past: string, emit: string) =>
    `  svc${n}.item.{id}.${action}: { event: Svc${n}Item${past}, emit: { table: items, ${emit} }, payload: { item_id: nanoid, name: string } }`;
  return [
    event("created", "Created", "on: insert"),
    event("updated", "Updated", "on: update"),
    event("deleted", "Deleted", "on: delete"),
    event("retired", "Retired", "on: update, when: { state: retired }"),
  ];
}
