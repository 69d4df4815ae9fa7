/** How fields are called on the wire: as their columns, or in camelCase. */
export const namings = ["columns", "camelCase"] as const;
export type Naming = (typeof namings)[number];

/** What a column is called on the wire: `restaurant_id` is `restaurantId`. A name without a letter or digit stays. */
export function wireName(column: string, naming: Naming): string {
  switch (naming) {
    case "columns":
      return column;
    case "camelCase":
      return camelCase(column);
    default:
      return naming satisfies never;
  }
}

function camelCase(name: string): string {
  const [first, ...others] = name.split(/[^\p{L}\p{N}]+/u).filter((part) => part !== "");
  if (first === undefined) return name;
  const capital = (part: string) => part.charAt(0).toUpperCase() + part.slice(1);
  return [first.charAt(0).toLowerCase() + first.slice(1), ...others.map(capital)].join("");
}
