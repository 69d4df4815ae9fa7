import type { Database, Mesh, Service } from "../model/mesh.js";

/**
 * For chains of older generators, which do not say whose they are: the database of their last model whose
 * migrations the service's database has had.
 */
export function findLegacyHistory(
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
