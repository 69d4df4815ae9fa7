import { DURABLES } from "../faults/fault.js";
import { type OracleInput, type Violation, violation } from "./violation.js";

interface DeadLetterCount {
  readonly durable: string;
  readonly subject: string;
  readonly count: number;
  readonly error: string;
}

/** Each poison message is one dead letter per durable that reads it, and nothing else is a dead letter. */
export async function checkDeadLetters(input: OracleInput): Promise<readonly Violation[]> {
  const { facts, memory } = input;
  const letters = await readDeadLetters(input);
  const unexpected = letters.filter(
    ({ subject }) => !memory.poison.has(subject) && !facts.poison.has(subject),
  );
  const streamOf = new Map<string, string>(DURABLES.map(({ durable, stream }) => [durable, stream]));
  const twice = letters.filter(
    ({ durable, count }) => count > 1 && !memory.everLost.has(streamOf.get(durable) ?? ""),
  );
  const missing = [...facts.poison].flatMap(([subject, { stream, durables }]) =>
    durables
      .filter((durable) => {
        const service = DURABLES.find((one) => one.durable === durable)?.service;
        // Not expected where the stream lost messages, or the database that held the dead letter was restored.
        if (facts.lostMessages.has(stream) || (service && facts.restored.has(service))) return false;
        return !letters.some((letter) => letter.durable === durable && letter.subject === subject);
      })
      .map((durable) => ({ durable, subject })),
  );
  return [
    ...violation("dead letters", "a message became a dead letter that is no poison", unexpected),
    ...violation("dead letters", "one poison has several dead letters in one durable", twice),
    ...violation("dead letters", "poison left no dead letter", missing),
  ];
}

async function readDeadLetters({ mesh }: OracleInput): Promise<readonly DeadLetterCount[]> {
  const found: DeadLetterCount[] = [];
  for (const service of ["sfs", "compute", "gateway"] as const) {
    const { rows } = await mesh.databases.pools[service].query<DeadLetterCount>(
      "SELECT durable, subject, count(*)::integer AS count, min(error) AS error FROM mesh.dead_letter GROUP BY durable, subject",
    );
    found.push(...rows);
  }
  return found;
}
