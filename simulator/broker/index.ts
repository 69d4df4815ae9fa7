/**
 * A broker in memory with the contract of the real one, for schedules that no real broker can be made to follow. All it
 * depends on is the clock (`Date.now`, `setTimeout`, which may be virtual) and the answers of `Wire` and `Adversary`.
 */
export { type Adversary, benign, type DueMessage, directWire, type Wire } from "./adversary.js";
export { connectSimulated, type SimulatedBroker, type SimulatedClientOptions } from "./client.js";
export type { ServerPort } from "./port.js";
export { createSimulatedServer, type SimulatedServer, type SimulatedServerOptions } from "./server.js";
export type { LoggedMessage, Removal } from "./stream.js";
