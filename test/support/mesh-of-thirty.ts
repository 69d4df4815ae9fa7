import { stringify } from "yaml";

const NAMES =
  "accounts addresses adverts analytics audit baskets billing catalog coupons customers deliveries disputes fraud inventory invoices " +
  "ledger loyalty mailer media notifications orders payments pricing products returns reviews search shipping suppliers support";

/** A mesh of thirty services, of which each hears two to six others: customers and products are heard by most of them. */
export function meshOfThirty(): string {
  const names = NAMES.split(" ");
  const hears = new Map(names.map((name, at) => [name, heardBy(name, at, names)]));
  return stringify(
    {
      mesh: "department-store",
      services: Object.fromEntries(
        names.map((name, at) => [
          name,
          {
            database: `${name}_db`,
            publishes: [`${name}.*`],
            ...(hears.get(name)?.length ? { subscribes: hears.get(name)?.map((of) => `${of}.item.*`) } : {}),
            http: { port: 8081 + at, resources: { "/items": "items" } },
          },
        ]),
      ),
      databases: Object.fromEntries(
        names.map((name) => [`${name}_db`, { tables: tablesOf(hears.get(name) ?? []) }]),
      ),
      subjects: Object.fromEntries(names.flatMap(subjectsOf)),
      cascades: names.flatMap((service) =>
        (hears.get(service) ?? [])
          .slice(1, 3)
          .filter((of) => of < service)
          .map((of) => ({ on: `${of}.item.deleted`, service, delete: `items.${of}_id` })),
      ),
    },
    { aliasDuplicateObjects: false },
  );
}

function heardBy(name: string, at: number, names: readonly string[]): readonly string[] {
  const some = [at * 7 + 3, at * 11 + 5, at * 5 + 1]
    .slice(0, 1 + (at % 3))
    .map((one) => names[one % names.length] ?? "");
  const popular = ["customers", "products"].filter((_, which) => (at + which) % 3 !== 0);
  return [...new Set([...popular, ...some])].filter((of) => of !== name && of !== "");
}

function tablesOf(heard: readonly string[]) {
  const id = { type: "nanoid", key: true };
  return {
    items: {
      columns: {
        item_id: id,
        label: "text",
        ...Object.fromEntries(heard.slice(1, 3).map((of) => [`${of}_id`, "text"])),
      },
    },
    ...(heard[0] === undefined
      ? {}
      : {
          [`${heard[0]}_cache`]: {
            cache: `${heard[0]}.item`,
            sync: { from: heard[0], get: "/items" },
            columns: { item_id: { type: "text", key: true }, label: "text" },
          },
        }),
  };
}

function subjectsOf(name: string) {
  const type = name.charAt(0).toUpperCase() + name.slice(1);
  return (
    [
      ["created", "insert"],
      ["updated", "update"],
      ["deleted", "delete"],
    ] as const
  ).map(([action, on]) => [
    `${name}.item.{id}.${action}`,
    {
      event: `${type}${action.charAt(0).toUpperCase()}${action.slice(1)}`,
      emit: { table: "items", on },
      payload: { item_id: "nanoid", label: "string" },
    },
  ]);
}
