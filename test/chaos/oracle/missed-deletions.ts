import { readFirstVersions } from "./effects.js";
import { type OracleInput, type Violation, violation } from "./violation.js";

interface KnownState {
  readonly id: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly text: string;
}

/**
 * A consumer that knew a user as alive must apply or infer the deletion before it knows the user's next incarnation. This
 * reads every state in between: the rows that a missed deletion leaves behind are mostly removed by the next one.
 */
export async function checkMissedDeletions(input: OracleInput): Promise<readonly Violation[]> {
  const { facts } = input;
  if (facts.lostMessages.has("AUTH") || facts.restored.has("auth")) return [];
  const firstVersions = await readFirstVersions(input);
  const found: Violation[] = [];
  for (const service of ["sfs", "compute"] as const) {
    if (facts.restored.has(service)) continue;
    const { rows } = await input.mesh.databases.pools[service].query<KnownState>(
      `SELECT entity_id AS id, coalesce(version, 0)::integer AS version, deleted,
       concat_ws(' ', to_char(at, 'HH24:MI:SS.MS'), 'v' || version, CASE WHEN deleted THEN 'deleted' END, 'seq ' || stream_seq, 'by', backend) AS text
       FROM chaos_history WHERE entity = 'auth.user' ORDER BY place`,
    );
    const missed = [...firstVersions].flatMap(([id, versions]) => {
      const known = rows.filter((row) => row.id === id);
      return known.flatMap((now, at) => {
        const before = known[at - 1];
        if (before === undefined || before.deleted || now.deleted || before.version === 0) return [];
        const between = versions.filter((first) => first > before.version && first <= now.version);
        if (between.length === 0) return [];
        return [
          {
            id,
            firstVersions: versions,
            between,
            history: known.slice(Math.max(0, at - 3), at + 4).map(({ text }) => text),
          },
        ];
      });
    });
    found.push(
      ...violation(
        "missed deletions",
        `${service} missed a user's deletion before the next incarnation`,
        missed,
      ),
    );
  }
  return found.map((one) => ({ ...one, final: true }));
}
