import { EVENT_FUNCTIONS } from "./0001/events.js";
import { GUARDS } from "./0001/guards.js";
import { INBOX } from "./0001/inbox.js";
import { MOMENTS } from "./0001/moments.js";
import { OUTBOX } from "./0001/outbox.js";
import { PRIVILEGES } from "./0001/privileges.js";
import { CAUSE } from "./0001/set-cause.js";

/**
 * The `mesh` schema of a service's database: what emits, relays, applies and remembers events.
 *
 * Immutable once released: its sha256 is in every ledger. A change is a new numbered file beside it.
 * Text that names ids is COLLATE "C": such ids are only ever compared for equality, and byte order
 * makes their indexes independent of the operating system's locale (and faster).
 * Functions pin their search_path, so that no object of another role can stand in for one of these.
 */
export const MESH_0001 = [OUTBOX, INBOX, GUARDS, CAUSE, EVENT_FUNCTIONS, MOMENTS, PRIVILEGES].join("\n");
