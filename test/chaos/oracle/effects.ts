import { findEvidence } from "./evidence.js";
import { type OracleInput, type Violation, violation } from "./violation.js";

/** Each handler's effect is there once. */
export async function checkEffects(input: OracleInput): Promise<readonly Violation[]> {
  const { sfs } = input.mesh.databases.pools;
  const twice = await sfs.query(
    `SELECT user_id, version, action, count(*)::integer AS times, array_agg(origin) AS origins, array_agg(process) AS processes
     FROM effects WHERE version IS NOT NULL GROUP BY user_id, version, action HAVING count(*) > 1 AND max(at) >= $1`,
    [input.roundStart],
  );
  const sameEvent = await sfs.query(
    "SELECT event_id, min(user_id) AS user_id, count(*)::integer AS times FROM effects GROUP BY event_id HAVING count(*) > 1 AND max(at) >= $1",
    [input.roundStart],
  );
  const found = [
    ...violation("effects", "one event had its effect several times", [...twice.rows, ...sameEvent.rows]),
    ...(await checkCreations(input)),
  ];
  return found.map((one) => ({ ...one, final: true }));
}

interface Effect {
  readonly user_id: string;
  readonly version: number;
  readonly action: string;
  readonly origin: string;
  readonly process: number;
}

/** For each incarnation of a user that began in the round the creation hook ran at most once; for the present one exactly once. */
async function checkCreations(input: OracleInput): Promise<readonly Violation[]> {
  const { mesh, facts, roundStart } = input;
  if (facts.lostMessages.has("AUTH") || facts.restored.has("auth") || facts.restored.has("sfs")) return [];
  const firstVersions = await readFirstVersions(input);
  const users = await mesh.databases.pools.auth.query<{ user_id: string }>("SELECT user_id FROM users");
  const alive = new Set(users.rows.map((row) => row.user_id));
  const { rows } = await mesh.databases.pools.sfs.query<Effect>(
    `SELECT user_id, version::integer, action, origin, process FROM effects WHERE at >= $1 ORDER BY at`,
    [roundStart],
  );
  const missed: { readonly id: string }[] = [];
  const repeated: object[] = [];
  for (const [id, versions] of firstVersions) {
    const effects = rows.filter((row) => row.user_id === id);
    for (const [place, first] of versions.entries()) {
      const next = versions[place + 1] ?? Number.POSITIVE_INFINITY;
      const creations = effects.filter(
        ({ action, version }) => action === "created" && version >= first && version < next,
      );
      const texts = effects.map((one) => `${one.action} v${one.version} by ${one.origin} in ${one.process}`);
      const row = { id, first, firstVersions: versions, effects: texts };
      if (creations.length > 1) repeated.push(row);
      if (creations.length === 0 && place === versions.length - 1 && alive.has(id)) missed.push(row);
    }
  }
  const explained = missed
    .slice(0, 3)
    .map(async (row) => ({ ...row, evidence: await findEvidence(mesh, row.id, "sfs_auth_user") }));
  return [
    ...violation("effects", "a user was created and its hook was not called", await Promise.all(explained)),
    ...violation("effects", "the hook of one creation was called several times", repeated),
  ];
}

/** By user: first version of each incarnation that began in this round, from the stream, which must not have lost anything. */
export async function readFirstVersions({
  mesh,
  authSeq,
}: OracleInput): Promise<ReadonlyMap<string, readonly number[]>> {
  const firstVersions = new Map<string, number[]>();
  const last = (await mesh.broker.stream("AUTH"))?.state.last_seq ?? 0;
  for (let seq = authSeq + 1; seq <= last; seq += 1) {
    const message = await mesh.broker.jsm.streams.getMessage("AUTH", { seq });
    const [, , id = "", action] = message.subject.split(".");
    if (action !== "created" || id.startsWith("poison")) continue;
    const { version } = message.json<{ metadata: { version: number } }>().metadata;
    const versions = firstVersions.get(id) ?? [];
    if (!versions.includes(version)) versions.push(version);
    firstVersions.set(id, versions);
  }
  for (const versions of firstVersions.values()) versions.sort((a, b) => a - b);
  return firstVersions;
}
