import "vitest";
import type { TestProject } from "vitest/node";
import { startNats, startPostgres } from "./servers.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser URL of the run's shared PostgreSQL: make a database of your own in it. */
    readonly postgres: string;
    /** The run's shared broker: use streams of your own, or start a broker of your own. */
    readonly nats: string;
  }
}

/** One PostgreSQL and one broker for the whole run, on free ports, gone afterwards. */
export default async function startShared({ provide }: TestProject): Promise<() => Promise<void>> {
  const [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  provide("postgres", postgres.url);
  provide("nats", nats.url);
  return async () => {
    await Promise.all([postgres.remove(), nats.remove()]);
  };
}
