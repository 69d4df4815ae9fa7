import { findEvidence } from "./evidence.js";
import { type Looking, type Violation, violation } from "./violation.js";

/** What handlers did, they did once. */
export async function checkEffects(looking: Looking): Promise<readonly Violation[]> {
  const { sfs } = looking.mesh.databases.pools;
  const twice = await sfs.query(
    `SELECT user_id, version, action, count(*)::integer AS times, array_agg(origin) AS origins, array_agg(process) AS processes
     FROM effects WHERE version IS NOT NULL GROUP BY user_id, version, action HAVING count(*) > 1 AND max(at) >= $1`,
    [looking.roundStart],
  );
  const sameEvent = await sfs.query(
    "SELECT event_id, min(user_id) AS user_id, count(*)::integer AS times FROM effects GROUP BY event_id HAVING count(*) > 1 AND max(at) >= $1",
    [looking.roundStart],
  );
  const found = [
    ...violation("effects", "one event had its effect several times", [...twice.rows, ...sameEvent.rows]),
    ...(await checkCreations(looking)),
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

/** Each life of a user that began in the round was greeted at most once, and the one that it is living now exactly once. */
async function checkCreations(looking: Looking): Promise<readonly Violation[]> {
  const { mesh, facts, roundStart } = looking;
  if (facts.lostMessages.has("AUTH") || facts.restored.has("auth") || facts.restored.has("sfs")) return [];
  const births = await readBirths(looking);
  const users = await mesh.databases.pools.auth.query<{ user_id: string }>("SELECT user_id FROM users");
  const alive = new Set(users.rows.map((row) => row.user_id));
  const { rows } = await mesh.databases.pools.sfs.query<Effect>(
    `SELECT user_id, version::integer, action, origin, process FROM effects WHERE at >= $1 ORDER BY at`,
    [roundStart],
  );
  const missed: { readonly id: string }[] = [];
  const repeated: object[] = [];
  for (const [id, versions] of births) {
    const effects = rows.filter((row) => row.user_id === id);
    for (const [place, born] of versions.entries()) {
      const next = versions[place + 1] ?? Number.POSITIVE_INFINITY;
      const greetings = effects.filter(
        ({ action, version }) => action === "created" && version >= born && version < next,
      );
      const told = effects.map((one) => `${one.action} v${one.version} by ${one.origin} in ${one.process}`);
      const row = { id, born, lives: versions, effects: told };
      if (greetings.length > 1) repeated.push(row);
      if (greetings.length === 0 && place === versions.length - 1 && alive.has(id)) missed.push(row);
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

/** Versions at which users were created in this round, as the stream tells it: it lost nothing. */
export async function readBirths({
  mesh,
  authSeq,
}: Looking): Promise<ReadonlyMap<string, readonly number[]>> {
  const births = new Map<string, number[]>();
  const last = (await mesh.broker.stream("AUTH"))?.state.last_seq ?? 0;
  for (let seq = authSeq + 1; seq <= last; seq += 1) {
    const message = await mesh.broker.jsm.streams.getMessage("AUTH", { seq });
    const [, , id = "", action] = message.subject.split(".");
    if (action !== "created" || id.startsWith("poison")) continue;
    const { version } = message.json<{ metadata: { version: number } }>().metadata;
    const versions = births.get(id) ?? [];
    if (!versions.includes(version)) versions.push(version);
    births.set(id, versions);
  }
  for (const versions of births.values()) versions.sort((a, b) => a - b);
  return births;
}
