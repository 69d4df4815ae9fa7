import type { Copy } from "./mesh.js";
import { isLossy } from "./plan.js";
import type { Ending } from "./world.js";

interface Known {
  readonly id: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly seq: number;
}

/**
 * No life of an entity passes by: whoever knew it as living hears that it was deleted, or infers it, before it knows the
 * next one. Looks at what was known in between: most rows that such a mistake leaves behind are gone with the entity's next
 * deletion, or were never there. What was lost on purpose may take lives along.
 */
export async function checkUnheardLives(ending: Ending, copy: Copy): Promise<readonly string[]> {
  const { consumer, service } = copy;
  if (isLossy(ending.world.plan)) return [];
  const known = new Map<string, Known[]>();
  const rows = await service.database.query<Known>(
    `SELECT entity_id AS id, coalesce(version, 0)::integer AS version, deleted, stream_seq::integer AS seq
FROM mesh_sim."$known" WHERE source = $1 ORDER BY place`,
    [consumer.entity],
  );
  for (const row of rows) known.set(row.id, [...(known.get(row.id) ?? []), row]);
  const births = readBirths(ending, copy);
  return [...known].flatMap(([id, states]) =>
    states.flatMap((now, at) => {
      const before = states[at - 1];
      // Only referred to, or only found alive: it has no life that another could be told from.
      if (before === undefined || before.version === 0 || before.seq < 0 || now.seq < 0) return [];
      if (before.deleted || now.deleted) return [];
      const born = (births.get(id) ?? []).find((one) => one > before.version && one <= now.version);
      if (born === undefined) return [];
      return [
        `${consumer.durable}: a new ${JSON.stringify(id)} began at version ${born}, unheard between ${before.version} and ${now.version}`,
      ];
    }),
  );
}

/** Versions at which entities were created, as the broker was told. */
function readBirths({ world, poison }: Ending, { consumer, owner }: Copy): ReadonlyMap<string, number[]> {
  const creation = consumer.events.find(({ change }) => change === "create")?.action;
  const { stream } = owner.service.definition;
  const births = new Map<string, number[]>();
  if (creation === undefined || stream === undefined) return births;
  for (const { subject, body } of world.server.log(stream.name)) {
    if (!subject.startsWith(`${consumer.entity}.`) || !subject.endsWith(`.${creation}`)) continue;
    if (poison.includes(subject)) continue;
    const { metadata } = JSON.parse(Buffer.from(body).toString()) as {
      readonly metadata: { readonly entity_id: string; readonly version: number };
    };
    births.set(metadata.entity_id, [...(births.get(metadata.entity_id) ?? []), metadata.version]);
  }
  return births;
}
