import { DURABLES } from "../faults/fault.js";
import { type Looking, type Violation, violation } from "./violation.js";

interface LetterCount {
  readonly durable: string;
  readonly subject: string;
  readonly count: number;
  readonly error: string;
}

/** Each poison has exactly one dead letter in each durable that covers it, and nothing else has one. */
export async function checkLetters(looking: Looking): Promise<readonly Violation[]> {
  const { facts, memory } = looking;
  const letters = await readLetters(looking);
  const unasked = letters.filter(({ subject }) => !memory.poison.has(subject) && !facts.poison.has(subject));
  const streamOf = new Map<string, string>(DURABLES.map(({ durable, stream }) => [durable, stream]));
  const twice = letters.filter(
    ({ durable, count }) => count > 1 && !memory.everLost.has(streamOf.get(durable) ?? ""),
  );
  const missing = [...facts.poison].flatMap(([subject, { stream, durables }]) =>
    durables
      .filter((durable) => {
        const service = DURABLES.find((one) => one.durable === durable)?.service;
        // Poison that was lost with its stream, or with the database that had put it down, is nobody's business.
        if (facts.lostMessages.has(stream) || (service && facts.restored.has(service))) return false;
        return !letters.some((letter) => letter.durable === durable && letter.subject === subject);
      })
      .map((durable) => ({ durable, subject })),
  );
  return [
    ...violation("dead letters", "a message became a dead letter that is no poison", unasked),
    ...violation("dead letters", "one poison has several dead letters in one durable", twice),
    ...violation("dead letters", "poison left no dead letter", missing),
  ];
}

async function readLetters({ mesh }: Looking): Promise<readonly LetterCount[]> {
  const found: LetterCount[] = [];
  for (const service of ["sfs", "compute", "gateway"] as const) {
    const { rows } = await mesh.databases.pools[service].query<LetterCount>(
      "SELECT durable, subject, count(*)::integer AS count, min(error) AS error FROM mesh.dead_letter GROUP BY durable, subject",
    );
    found.push(...rows);
  }
  return found;
}
