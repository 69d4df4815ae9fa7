import { Readable } from "node:stream";
import type { Pool } from "pg";
import { withClient } from "../database/transaction.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { pause } from "../pause.js";
import { tableSql } from "../repository/table-sql.js";
import { BEGIN_DIGESTS, DIGEST_FORM } from "../values/digests.js";

export interface AskedDigests {
  readonly text: string;
  readonly entity: string;
}

/** The statement for what a copy asks for; undefined where it asks for none, in another form, or of a member that callers do not see. */
export function askedDigests(
  header: string | readonly string[] | undefined,
  table: TableDefinition,
  entity: string | undefined,
): AskedDigests | undefined {
  if (typeof header !== "string" || entity === undefined || !header.startsWith(`${DIGEST_FORM} `))
    return undefined;
  const members = header.slice(DIGEST_FORM.length + 1).split(",");
  const text = tableSql(table, "callers").digests(members, { parameter: 1 });
  return text === undefined ? undefined : { text, entity };
}

/** White space is sent so often while PostgreSQL reads the table: a reader gives up after 30 s of silence. */
const ALIVE_MS = 5_000;

/** As a list: an error breaks it off, and then it is no JSON. */
export function openDigests(pool: Pool, asked: AskedDigests): Readable {
  return Readable.from(tellDigests(pool, asked), { objectMode: false });
}

async function* tellDigests(pool: Pool, asked: AskedDigests): AsyncGenerator<string> {
  const reading = readDigests(pool, asked);
  const told = new AbortController();
  const end = () => told.abort();
  reading.then(end, end);
  while (!told.signal.aborted) {
    // At first too: whoever asked reads its own rows as soon as the answer begins, at the same time as this.
    yield "\n";
    await pause(ALIVE_MS, told.signal);
  }
  yield await reading;
}

async function readDigests(pool: Pool, { text, entity }: AskedDigests): Promise<string> {
  return await withClient(pool, async (client) => {
    await client.query(BEGIN_DIGESTS);
    const { rows } = await client.query<{ digests: string }>(text, [entity]);
    await client.query("COMMIT");
    return rows[0]?.digests ?? "";
  });
}
