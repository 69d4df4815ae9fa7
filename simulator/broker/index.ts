/**
 * A broker in memory that keeps the contract of the real one, for schedules that no real one can be brought
 * to follow. Everything in it happens by the clock of the moment (`Date.now`, `setTimeout`) and by the answers
 * of `Wire` and `Adversary`: the same answers make the same run.
 */
export { type Adversary, benign, type DueMessage, directWire, type Wire } from "./adversary.js";
export { connectSimulated, type SimulatedBroker, type SimulatedClientOptions } from "./client.js";
export type { ServerPort } from "./port.js";
export { createSimulatedServer, type SimulatedServer, type SimulatedServerOptions } from "./server.js";
export type { Departure, LoggedMessage } from "./stream.js";
