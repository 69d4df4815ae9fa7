/*
 * Names that a mesh gives to what a database calls otherwise: each is given once.
 */

/** `Order Details`, `CRMOrderIDs`, `Größe` → `order_details`, `crm_order_ids`, `grosse`; `blank` where no letter or digit is left. */
export function snakeCase(name: string, blank: string): string {
  const plain = name
    .replaceAll("ß", "ss")
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z]{2})/g, "$1_$2")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  return /^[a-z]/.test(plain) ? plain : plain === "" ? blank : `t_${plain}`;
}

/** `OrderLine`, `ARing` → `order_line`, `a_ring`: the entity of a row that is called so in TypeScript. */
export function entityOf(row: string): string {
  return row.replace(/(?!^)[A-Z]/g, "_$&").toLowerCase();
}

export interface NameGiver {
  /** The first of these that is free, else the last with a number. */
  give(...wanted: readonly string[]): string;
}

/** `taken`: names that are given already; `claimsOf`: those that are generated of one, each of which must be free. */
export function openNames(
  taken: Iterable<string>,
  claimsOf: (name: string) => readonly string[] = (name) => [name],
): NameGiver {
  const given = new Set(taken);
  return {
    give(...wanted) {
      const last = wanted.at(-1) ?? "";
      for (const name of wanted) if (claim(name)) return name;
      for (let number = 2; ; number += 1) if (claim(`${last}${number}`)) return `${last}${number}`;
    },
  };
  function claim(name: string): boolean {
    const claims = claimsOf(name);
    if (claims.some((each) => given.has(each))) return false;
    for (const each of claims) given.add(each);
    return true;
  }
}
