import { batches } from "./batches.js";
import { connections } from "./connections.js";
import { consumer } from "./consumer.js";
import { generate } from "./generate.js";
import { latency } from "./latency.js";
import { longTransaction } from "./long-transaction.js";
import { notify } from "./notify.js";
import { peers } from "./peers.js";
import { reactions } from "./reactions.js";
import { relay } from "./relay.js";
import { replicas } from "./replicas.js";
import type { Section } from "./section.js";
import { snapshot } from "./snapshot.js";
import { subscribers } from "./subscribers.js";
import { syncingBroker } from "./syncing-broker.js";
import { telemetry } from "./telemetry.js";
import { trigger } from "./trigger.js";
import { typecheck } from "./typecheck.js";
import { wal } from "./wal.js";
import { wholeWay } from "./whole-way.js";

/** In the order in which they run and are printed. A new section is a file, and a line here. */
export const sections: readonly Section[] = [
  consumer,
  batches,
  reactions,
  subscribers,
  replicas,
  connections,
  latency,
  relay,
  syncingBroker,
  trigger,
  wal,
  notify,
  longTransaction,
  wholeWay,
  snapshot,
  telemetry,
  generate,
  typecheck,
  peers,
];
