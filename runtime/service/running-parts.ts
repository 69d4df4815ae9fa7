import type { Broker } from "../broker/broker.js";
import type { CascadeWorker } from "../cascade/cascade-worker.js";
import type { RunningConsumer } from "../consumer/consumer.js";
import type { MomentWorker } from "../outbox/moment-worker.js";
import type { Relay } from "../outbox/relay.js";
import type { StreamMonitor } from "../outbox/stream-monitor.js";
import type { TombstoneExpiry } from "./tombstone-expiry.js";

/** The parts of a service that run; none of them where it neither publishes nor subscribes. */
export interface RunningParts {
  readonly broker: Broker | undefined;
  readonly relay: Relay | undefined;
  readonly stream: StreamMonitor | undefined;
  readonly consumers: readonly { readonly durable: string; readonly running: RunningConsumer }[];
  readonly cascades: CascadeWorker | undefined;
  /** Absent where no event of the service is told at a time. */
  readonly moments: MomentWorker | undefined;
  readonly tombstoneExpiry: TombstoneExpiry | undefined;
}
