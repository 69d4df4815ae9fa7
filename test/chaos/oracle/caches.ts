import { findEvidence } from "./evidence.js";
import { type OracleInput, type Violation, violation } from "./violation.js";

interface UserRow {
  readonly user_id: string;
  readonly username: string;
  readonly display_name: string;
}

const COLUMNS = "user_id, username, display_name";

/** Every cache equals its owner over the columns that events carry. */
export async function checkCaches({ mesh }: OracleInput): Promise<readonly Violation[]> {
  const { pools } = mesh.databases;
  const { rows: users } = await pools.auth.query<UserRow>(`SELECT ${COLUMNS} FROM users`);
  const found: Violation[] = [];
  for (const service of ["sfs", "compute"] as const) {
    const { rows: cached } = await pools[service].query<UserRow>(`SELECT ${COLUMNS} FROM user_cache`);
    const { rows: applied } = await pools[service].query<{ entity_id: string }>(
      "SELECT entity_id, version, versioned, deleted, stream_seq FROM mesh.applied WHERE entity = 'auth.user'",
    );
    const { rows: versions } = await pools.auth.query<{ entity_id: string; version: string }>(
      "SELECT entity_id, version FROM mesh.entity_version WHERE entity = 'auth.user'",
    );
    const differing = compare(users, cached).map((row) => ({
      ...row,
      applied: applied.find((state) => state.entity_id === row.id),
      ownerVersion: versions.find((state) => state.entity_id === row.id)?.version,
    }));
    const durable = `${service}_auth_user`;
    const explained = differing
      .slice(0, 3)
      .map(async (row) => ({ ...row, evidence: await findEvidence(mesh, row.id, durable) }));
    found.push(
      ...violation(
        "caches",
        `user_cache of ${service} differs from users of auth`,
        await Promise.all(explained),
      ),
    );
  }
  return found;
}

function compare(owner: readonly UserRow[], cache: readonly UserRow[]) {
  const cached = new Map(cache.map((row) => [row.user_id, row]));
  const ids = new Set([...owner, ...cache].map((row) => row.user_id));
  const owned = new Map(owner.map((row) => [row.user_id, row]));
  return [...ids].flatMap((id) => {
    const [mine, theirs] = [owned.get(id), cached.get(id)];
    const same = JSON.stringify(mine) === JSON.stringify(theirs);
    return same ? [] : [{ id, owner: mine, cache: theirs }];
  });
}
