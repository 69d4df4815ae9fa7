import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import pg from "pg";
import { CONSUMER_TABLES } from "./consumer.js";
import { createMeshDatabase, dropAll } from "./database.js";
import type { Servers } from "./section.js";

/* The two ends of the way from a row to its copy. */

/** Two databases, and a name of its own for their stream. */
export interface Ends {
  readonly natsUrl: string;
  readonly token: string;
  readonly owner: pg.Pool;
  readonly copy: pg.Pool;
  readonly ownerUrl: string;
  readonly copyUrl: string;
}

/** What brings rows from one end to the other; once it resolves it is connected. */
export interface Way {
  /** One statement that writes these rows and whatever makes their copies. */
  readonly write: (client: pg.PoolClient, users: readonly string[][]) => Promise<unknown>;
  readonly applied: () => number;
  readonly stop: () => Promise<void>;
}

/** Both databases, for as long as `use` takes. */
export async function betweenEnds<T>(servers: Servers, use: (ends: Ends) => Promise<T>): Promise<T> {
  const token = `bench${randomUUID().slice(0, 8)}`;
  const names = [`${token}_owner`, `${token}_copy`] as const;
  const ownerUrl = await createMeshDatabase(servers, names[0], ownerTables(token));
  const copyUrl = await createMeshDatabase(servers, names[1], CONSUMER_TABLES);
  const [owner, copy] = [openPool(ownerUrl), openPool(copyUrl)];
  try {
    return await use({ natsUrl: servers.natsUrl, token, owner, copy, ownerUrl, copyUrl });
  } finally {
    await Promise.all([owner.end(), copy.end()]);
    await dropAll(servers, names[0], token);
    await dropAll(servers, names[1]);
  }
}

function openPool(connectionString: string): pg.Pool {
  return new pg.Pool({ connectionString, max: 12, options: "-c TimeZone=UTC" });
}

/** The reference mesh's own tables and triggers, but that their subjects begin with the token. */
function ownerTables(token: string): string {
  const folder = new URL("../generated/auth/migrations/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  const text = files.toSorted().map((name) => readFileSync(new URL(name, folder), "utf8"));
  return text.join("\n").replaceAll("'auth.user'", `'${token}.user'`);
}
