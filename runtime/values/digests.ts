/*
 * Digests: what an owner and a copy of its rows have to tell each other to see that they are the same. Rows are sorted into buckets by the id of
 * their entity, and each bucket has a number of rows and a sum of hashes. Two buckets that differ have the same sum once in 2^64 times. Where the
 * two PostgreSQLs hash differently, nothing is the same, and the rows themselves are compared.
 */

/** Of the request: `2 user_id,username`. Of the answer: `2`, and its body has digests in place of rows. */
export const DIGEST_HEADER = "mesh-digest";
/** Changes with what is hashed, and how. */
export const DIGEST_FORM = "2";

/** Few enough to be told at once; many enough that an event which is on its way leaves nearly all others the same. */
const BUCKETS = 1024;

export interface DigestedRows {
  readonly id: string;
  /** One for each member that fills the copy, in its form on the wire; both sides have them in the order of the request. */
  readonly values: readonly string[];
  readonly version: string;
  /** What follows FROM. */
  readonly from: string;
}

/**
 * Opens the transaction of the statement, with room for a million rows to be joined with their versions. The planner cannot know that there
 * are few buckets: it would sort all rows by them, most of it on disk.
 */
export const BEGIN_DIGESTS = "BEGIN READ ONLY; SET LOCAL work_mem = '64MB'; SET LOCAL enable_sort = off";

/**
 * SQL: an array of `[bucket, rows, "hash"]` as the text of JSON, in column `digests`. One statement, so of one state. A row is hashed as a record
 * of texts: its JSON would take most of the time. A record's hash is a sum of its columns' hashes, each times its own factor, so it is
 * hashed once more: in sums of sums, two rows that have exchanged values would make no difference.
 */
export function digestSql({ id, values, version, from }: DigestedRows): string {
  const columns = [id, ...values, version].map((value, index) => ({ value, name: `"$${index}"` }));
  const texts = columns.map(({ name }) => `"$row".${name}::text COLLATE "C"`);
  const record = `pg_catalog.hash_record_extended(ROW(${texts.join(", ")}), 1)`;
  return `SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(bucket, "rows", hash::text)), '[]')::text AS digests FROM (
  SELECT pg_catalog.hashtextextended("$row"."$0" COLLATE "C", 0) & ${BUCKETS - 1} AS bucket, count(*) AS "rows",
    pg_catalog.sum(pg_catalog.hashint8extended(${record}, 1)) AS hash
  FROM (SELECT ${columns.map(({ value, name }) => `${value} AS ${name}`).join(", ")} FROM ${from}) AS "$row" GROUP BY 1
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
