/*
 * What stands between a client and the simulated server: the wire, which carries requests, and the adversary, which
 * decides what goes wrong with them. Both are called in the order of the schedule, so the same answers make the same run.
 */

/** Carries one request. The simulator performs it when its schedule chooses it, or never, if the process has crashed. */
export interface Wire {
  /**
   * Settles as `work` does, which runs at most once, synchronously. `what` is its label in a trace:
   * `publish auth.user.u1.created`, `ack sfs_auth_user #12`, `pull sfs_auth_user`.
   */
  cross<T>(what: string, work: () => T): Promise<T>;
}

/** Carries every request at once. */
export const directWire: Wire = {
  cross: (_, work) => new Promise((resolve) => resolve(work())),
};

/** A message that may be delivered now. */
export interface DueMessage {
  readonly seq: number;
  readonly subject: string;
  /** Number of earlier deliveries. */
  readonly deliveries: number;
}

/** What goes wrong on the network. The default (`benign`) does everything right. */
export interface Adversary {
  /** Indexes in `due` of the messages that this pull gets, in this order. May leave some out; never more than `max`. */
  pick(due: readonly DueMessage[], max: number): readonly number[];
  /** This ack, nak, term or working is lost on its way. */
  losesSettling(what: string): boolean;
  /** `before`: the publish is lost before it is stored. `after`: it is stored and its ack is lost. */
  losesPublish(subject: string): "before" | "after" | undefined;
  /** This durable gets the message, which was just stored, twice. */
  duplicates(durable: string, seq: number): boolean;
}

export const benign: Adversary = {
  pick: (due, max) => Array.from({ length: Math.min(due.length, max) }, (_, index) => index),
  losesSettling: () => false,
  losesPublish: () => undefined,
  duplicates: () => false,
};
