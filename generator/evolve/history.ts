import type { Database, Mesh, Service } from "../model/mesh.js";

/**
 * The database of the last model whose migrations the service's database has had. A migration is known to
 * the database that ran it, so the chain goes where the database goes: to another service, when that is
 * who has it now, and along with its service when only the database's own name is new.
 */
export function findHistory(
  previous: Mesh | undefined,
  next: Mesh,
  { name, database }: Service,
): Database | undefined {
  if (previous === undefined || database === undefined) return undefined;
  const owned = previous.databases.filter(({ service }) =>
    previous.services.some((owner) => owner.name === service && !owner.external),
  );
  const isKept = (old: Database) => next.databases.some((kept) => kept.name === old.name);
  return (
    owned.find((old) => old.name === database) ?? owned.find((old) => old.service === name && !isKept(old))
  );
}
