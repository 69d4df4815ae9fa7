import { readBirths } from "./effects.js";
import { type Looking, type Violation, violation } from "./violation.js";

interface Known {
  readonly id: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly told: string;
}

/**
 * No life of a user passes by: a copy that knew the user as living hears of the deletion, by its event or by inference,
 * before it knows the next one. Looks at what was known in between, since most rows that such a mistake leaves behind are gone
 * with the next deletion, before anybody looks.
 */
export async function checkLives(looking: Looking): Promise<readonly Violation[]> {
  const { facts } = looking;
  if (facts.lostMessages.has("AUTH") || facts.restored.has("auth")) return [];
  const births = await readBirths(looking);
  const found: Violation[] = [];
  for (const service of ["sfs", "compute"] as const) {
    if (facts.restored.has(service)) continue;
    const { rows } = await looking.mesh.databases.pools[service].query<Known>(
      `SELECT entity_id AS id, coalesce(version, 0)::integer AS version, deleted,
       concat_ws(' ', to_char(at, 'HH24:MI:SS.MS'), 'v' || version, CASE WHEN deleted THEN 'deleted' END, 'seq ' || stream_seq, 'by', backend) AS told
       FROM chaos_history WHERE entity = 'auth.user' ORDER BY place`,
    );
    const passed = [...births].flatMap(([id, versions]) => {
      const known = rows.filter((row) => row.id === id);
      return known.flatMap((now, at) => {
        const before = known[at - 1];
        if (before === undefined || before.deleted || now.deleted || before.version === 0) return [];
        const unheard = versions.filter((born) => born > before.version && born <= now.version);
        if (unheard.length === 0) return [];
        return [
          {
            id,
            lives: versions,
            unheard,
            history: known.slice(Math.max(0, at - 3), at + 4).map(({ told }) => told),
          },
        ];
      });
    });
    found.push(...violation("lives", `a life of a user ended and began unheard in ${service}`, passed));
  }
  return found.map((one) => ({ ...one, final: true }));
}
