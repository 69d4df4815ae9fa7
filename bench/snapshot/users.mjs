/* What the processes of the snapshot share: as services, they load what the runtime's package has, and nothing of the bench. */

export const KEY = "bench";

const column = (name, of = {}) => ({ name, type: "text", ...of });
const shared = [
  column("user_id"),
  column("username", { unique: true }),
  column("display_name", { defaulted: true }),
];
const moment = (name) => ({ name, type: "timestamp", nullable: true, defaulted: true });

export const users = {
  name: "users",
  key: "user_id",
  entity: "user",
  columns: [...shared, moment("created_at")],
};

export const userCache = {
  name: "user_cache",
  key: "user_id",
  cacheOf: "auth.user",
  columns: [...shared, moment("synced_at")],
};

export const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (fields, message) => process.stderr.write(`${message}: ${fields.error}\n`),
  child: () => silent,
};

/** Highest resident memory of this process so far, in bytes. */
export const highestMemory = () => process.resourceUsage().maxRSS * 1024;
