import type { ClientBase } from "pg";
import { isMeshSchema, isOwnName } from "../database/mesh-schema.js";

/*
 * Tables as PostgreSQL's catalogue has them: what is compared with mesh.yaml, and what `mesh adopt` writes it from.
 */

/** A table with all that mesh.yaml can say of it. */
export interface CatalogTable {
  readonly schema: string;
  readonly name: string;
  /** `r` an ordinary one; `p` partitioned, `v` a view, `m` a materialized one, `f` a foreign table. */
  readonly kind: string;
  readonly owner: string;
  /** Whether the asking role may do what the owner may. */
  readonly owned: boolean;
  /** Whether it may read all rows of it. */
  readonly readable: boolean;
  /** Other tables inherit from it, or it is a partition. */
  readonly inherited: boolean;
  readonly rowSecurity: boolean;
  /** Row level security holds for the role that asks though it owns the table (FORCE): so it does for what its triggers look up. */
  readonly ownerBound: boolean;
  readonly comment: string | null;
  readonly columns: readonly CatalogColumn[];
  readonly primaryKey: readonly string[];
  /** Of keys, constraints and unique indexes that hold for all rows, over columns alone. */
  readonly uniques: readonly (readonly string[])[];
  /** Columns of other indexes that hold for all rows, over columns alone. */
  readonly indexes: readonly (readonly string[])[];
  readonly foreignKeys: readonly CatalogForeignKey[];
}

/** A column of any kind of relation. */
export interface CatalogColumn {
  readonly name: string;
  /** Its base type where it is of a domain, as SQL and without its modifier: `character varying`. */
  readonly type: string;
  /** The same with the modifier, that of a domain too: `character varying(50)`. */
  readonly limited: string;
  /** As it was declared, domain and modifier included. */
  readonly declared: string;
  /** `b` a base type, `e` an enum, `c` a composite, `r` a range. */
  readonly typeKind: string;
  readonly notNull: boolean;
  /** There is a value for a row that names none. */
  readonly defaulted: boolean;
  /** PostgreSQL computes it from others. */
  readonly generated: boolean;
  /** The labels of an enum. */
  readonly values: readonly string[] | null;
  /** CHECK constraints on it alone that hold for all rows, as PostgreSQL prints them. */
  readonly checks: readonly string[];
  readonly comment: string | null;
}

/** A foreign key of any number of columns. */
export interface CatalogForeignKey {
  readonly columns: readonly string[];
  readonly schema: string;
  readonly table: string;
  readonly targets: readonly string[];
  /** `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default. */
  readonly onDelete: string;
}

/** `wanted`: those alone; undefined: all that are not PostgreSQL's, the mesh's or an extension's own. */
export async function readCatalog(
  client: ClientBase,
  wanted?: readonly { readonly schema: string; readonly table: string }[],
): Promise<readonly CatalogTable[]> {
  const { rows } = await client.query<{ relation: CatalogTable }>(CATALOG, [
    wanted === undefined ? null : wanted.map(({ schema }) => schema),
    wanted === undefined ? null : wanted.map(({ table }) => table),
  ]);
  return rows.map(({ relation }) => relation);
}

/** In which the mesh keeps its own tables, of each service that has some in the database. */
export async function readMeshSchemas(client: ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_namespace AS n WHERE ${isMeshSchema("n")}`,
  );
  return rows.map(({ name }) => name);
}

const NAMES = (relation: string, numbers: string) =>
  `(SELECT coalesce(pg_catalog.json_agg(named.attname ORDER BY key.place), '[]') FROM pg_catalog.unnest(${numbers}) WITH ORDINALITY AS key (number, place)
    JOIN pg_attribute AS named ON named.attrelid = ${relation} AND named.attnum = key.number)`;

/** Over columns alone, for all rows, and usable. */
const INDEXES = (unique: boolean) =>
  `(SELECT coalesce(pg_catalog.json_agg(${NAMES("i.indrelid", "(pg_catalog.string_to_array(i.indkey::text, ' ')::int2[])[1:i.indnkeyatts]")} ORDER BY i.indexrelid), '[]')
    FROM pg_index AS i JOIN pg_class AS ic ON ic.oid = i.indexrelid JOIN pg_am AS am ON am.oid = ic.relam
    WHERE i.indrelid = c.oid AND i.indisunique = ${unique} AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid
      AND am.amname = 'btree' AND NOT ${isOwnName("ic.relname", "c.relname")})`;

const CATALOG = `
WITH RECURSIVE base (domain, type, modifier) AS (
  SELECT oid, oid, -1 FROM pg_type WHERE typtype <> 'd'
  UNION ALL SELECT pg_type.oid, base.type, greatest(pg_type.typtypmod, base.modifier) FROM pg_type JOIN base ON base.domain = pg_type.typbasetype WHERE typtype = 'd'
)
SELECT pg_catalog.json_build_object(
  'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'owner', c.relowner::regrole::text,
  'owned', pg_catalog.pg_has_role(c.relowner, 'USAGE'), 'readable', pg_catalog.has_table_privilege(c.oid, 'SELECT'), 'rowSecurity', c.relrowsecurity,
  'ownerBound', c.relforcerowsecurity AND pg_catalog.pg_has_role(c.relowner, 'USAGE') AND pg_catalog.row_security_active(c.oid),
  'inherited', c.relispartition OR EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhparent, inhrelid)),
  'comment', pg_catalog.obj_description(c.oid, 'pg_class'),
  'columns', (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', a.attname, 'type', pg_catalog.format_type(b.type, NULL),
      'limited', pg_catalog.format_type(b.type, greatest(b.modifier, a.atttypmod)), 'declared', pg_catalog.format_type(a.atttypid, a.atttypmod), 'typeKind', bt.typtype,
      'notNull', a.attnotnull OR t.typnotnull, 'defaulted', a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
      'generated', a.attgenerated <> '',
      'values', (SELECT pg_catalog.json_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = b.type),
      'checks', coalesce((SELECT pg_catalog.json_agg(pg_catalog.pg_get_constraintdef(oid) ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'c'
        AND convalidated AND conkey = ARRAY[a.attnum] AND NOT ${isOwnName("conname", "c.relname")}), '[]'),
      'comment', pg_catalog.col_description(c.oid, a.attnum)
    ) ORDER BY a.attnum), '[]')
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid JOIN base AS b ON b.domain = a.atttypid JOIN pg_type AS bt ON bt.oid = b.type
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ),
  'primaryKey', coalesce((SELECT ${NAMES("k.conrelid", "k.conkey")} FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'p'), '[]'),
  'uniques', ${INDEXES(true)},
  'indexes', ${INDEXES(false)},
  'foreignKeys', (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'columns', ${NAMES("f.conrelid", "f.conkey")}, 'schema', tn.nspname, 'table', tc.relname,
      'targets', ${NAMES("f.confrelid", "f.confkey")}, 'onDelete', f.confdeltype
    ) ORDER BY f.conname), '[]')
    FROM pg_constraint AS f JOIN pg_class AS tc ON tc.oid = f.confrelid JOIN pg_namespace AS tn ON tn.oid = tc.relnamespace
    WHERE f.conrelid = c.oid AND f.contype = 'f'
  )
) AS relation
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND CASE
  WHEN $1::text[] IS NULL THEN n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT ${isMeshSchema("n")}
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  ELSE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
END
ORDER BY n.nspname, c.relname`;
