import { escapeIdentifier } from "pg";

/*
 * Digests: what an owner and a copy of its rows have to tell each other to see that they are the same. Rows are sorted into buckets by the id of
 * their entity, and each bucket has a number of rows and a sum of hashes. Two buckets that differ have the same sum once in 2^64 times. Where the
 * two PostgreSQLs hash differently, nothing is the same, and the rows themselves are compared.
 */

/** Of the request: `1 user_id,username`. Of the answer: `1`, and its body has digests in place of rows. */
export const DIGEST_HEADER = "mesh-digest";
/** Changes with what is hashed, and how. */
export const DIGEST_FORM = "1";

/** Few enough to be told at once; many enough that an event which is on its way leaves nearly all others the same. */
const BUCKETS = 1024;

/** One value for each member that fills the copy, in its form on the wire, under a name that both sides know. */
export interface DigestedMember {
  readonly member: string;
  readonly value: string;
}

export interface DigestedRows {
  readonly id: string;
  readonly members: readonly DigestedMember[];
  readonly version: string;
  /** What follows FROM. */
  readonly from: string;
}

/** SQL: an array of `[bucket, rows, "hash"]` as the text of JSON, in column `digests`. One statement, so of one state. */
export function digestSql({ id, members, version, from }: DigestedRows): string {
  const fields = members.map(({ member, value }) => `${value} AS ${escapeIdentifier(member)}`);
  return `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(bucket, "rows", hash::text)), '[]')::text AS digests FROM (
  SELECT pg_catalog.hashtextextended("$row"."$id" COLLATE "C", 0) & ${BUCKETS - 1} AS bucket, count(*) AS "rows",
    pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.row_to_json("$row")::text COLLATE "C", 1)) AS hash
  FROM (SELECT ${id} AS "$id", ${fields.join(", ")}, ${version} AS "_version" FROM ${from}) AS "$row" GROUP BY 1
) AS "$buckets"`;
}

/** By number of the bucket. */
export type Digests = ReadonlyMap<number, { readonly rows: number; readonly hash: string }>;

/** Throws for anything but what `digestSql` gives. */
export function parseDigests(text: string): Digests {
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed)) throw new TypeError("no digests: not an array");
  return new Map(
    parsed.map((entry: unknown) => {
      const [bucket, rows, hash] = Array.isArray(entry) ? entry : [];
      if (typeof bucket !== "number" || typeof rows !== "number" || typeof hash !== "string")
        throw new TypeError("no digests: an entry is not a number, a count and a hash");
      return [bucket, { rows, hash }];
    }),
  );
}

/** The buckets in which the two differ. */
export function differences(one: Digests, other: Digests): ReadonlySet<number> {
  const all = new Set([...one.keys(), ...other.keys()]);
  return new Set(
    [...all].filter((bucket) => {
      const [a, b] = [one.get(bucket), other.get(bucket)];
      return a?.rows !== b?.rows || a?.hash !== b?.hash;
    }),
  );
}
