import pg from "pg";
import { onTestFinished } from "vitest";

/** Runs when the test ends, however it ends: what was said last comes first. */
export function afterTest(clean: () => unknown): void {
  onTestFinished(async () => {
    await clean();
  });
}

/** A connection for as long as the test runs. */
export async function openClient(connectionString = ""): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  // Servers may be stopped before it is.
  client.on("error", () => undefined);
  await client.connect();
  afterTest(() => client.end());
  return client;
}
