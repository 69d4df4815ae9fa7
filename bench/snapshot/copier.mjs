import { createMutex } from "../../runtime/dist/database/mutex.js";
import { createPool } from "../../runtime/dist/database/pool.js";
import { buildModel } from "../../runtime/dist/inbox/consumer-model.js";
import { takeSnapshot } from "../../runtime/dist/resync/snapshot.js";
import { highestMemory, KEY, silent, userCache } from "./users.mjs";

/* A service with a copy in the database DATABASE_URL: takes a snapshot of each URL that it is told, and says how it went. */

const pool = createPool({ url: process.env.DATABASE_URL, service: "sfs", max: 4, logger: silent });
const event = (action, change) => ({
  event: { entity: "user", action, change, fields: ["user_id", "username", "display_name"] },
});
const model = buildModel({
  durable: "sfs_auth_user",
  stream: { name: "AUTH", subjects: ["auth.user.*.*"] },
  filter: "auth.user.*.*",
  entity: "auth.user",
  cache: userCache,
  sync: { urlVariable: "AUTH_URL", keyVariable: "AUTH_KEY", path: "/api/users" },
  events: [event("created", "create"), event("updated", "update"), event("deleted", "delete")],
});
process.once("disconnect", () => process.exit());
process.on("message", async (url) => {
  const started = performance.now();
  const report = await takeSnapshot({
    pool,
    model,
    env: { AUTH_URL: url, AUTH_KEY: KEY },
    logger: silent,
    signal: new AbortController().signal,
    noteSeq: async () => 1,
    exclusively: createMutex(),
    onTasks: () => undefined,
    onPlaceholder: () => undefined,
  });
  process.send({ ...report, seconds: (performance.now() - started) / 1_000, memory: highestMemory() });
});
process.send("ready");
