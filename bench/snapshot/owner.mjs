import { createPool } from "../../runtime/dist/database/pool.js";
import { buildServer } from "../../runtime/dist/http/server.js";
import { keyDigests } from "../../runtime/dist/values/access-keys.js";
import { highestMemory, KEY, silent, users } from "./users.mjs";

/* The owner of the users of the database DATABASE_URL: serves them as a service does. Says its URL, and its highest memory when asked. */

const app = buildServer({
  service: "auth",
  resources: [{ path: "/api/users", table: users }],
  pool: createPool({ url: process.env.DATABASE_URL, service: "auth", max: 4, logger: silent }),
  keys: { operator: keyDigests(KEY), callers: [] },
  logger: silent,
  health: async () => ({ status: "ready", checks: {} }),
  operations: { resyncable: () => [], resync: async (durable) => ({ durable }) },
  closed: () => undefined,
});
const url = await app.listen({ host: "127.0.0.1", port: 0 });
process.once("disconnect", () => process.exit());
process.on("message", () => process.send({ memory: highestMemory() }));
process.send({ url });
