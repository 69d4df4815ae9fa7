/*
 * What stands between a client and the simulated server: the network, which performs crossings, and the
 * adversary, who decides what goes wrong with them. Both are asked in the order of the schedule, so
 * the same answers make the same run.
 */

/** One crossing of the network. The simulator performs it when its schedule says so, or never, when the process has crashed. */
export interface Wire {
  /**
   * Settles as `work` does, which is run at most once, synchronously. `what` is its label in a trace:
   * `publish auth.user.u1.created`, `ack sfs_auth_user #12`, `pull sfs_auth_user`.
   */
  cross<T>(what: string, work: () => T): Promise<T>;
}

/** Performs at once. */
export const directWire: Wire = {
  cross: (_, work) => new Promise((resolve) => resolve(work())),
};

/** A message that may be delivered now. */
export interface DueMessage {
  readonly seq: number;
  readonly subject: string;
  /** How often it was delivered before. */
  readonly deliveries: number;
}

/** What an adversarial network does. The default (`benign`) does nothing of it. */
export interface Adversary {
  /** Places in `due` of what this pull gets, in this order; may be fewer than all, may leave a gap, never more than max. */
  pick(due: readonly DueMessage[], max: number): readonly number[];
  /** This ack, nak, term or working is lost on its way. */
  losesSettling(what: string): boolean;
  /** This publish is lost before it is stored / its ack is lost after it was stored. */
  losesPublish(subject: string): "before" | "after" | undefined;
  /** A message that was just stored is delivered to this durable twice (within or outside the window it makes no difference to a consumer). */
  duplicates(durable: string, seq: number): boolean;
}

export const benign: Adversary = {
  pick: (due, max) => Array.from({ length: Math.min(due.length, max) }, (_, place) => place),
  losesSettling: () => false,
  losesPublish: () => undefined,
  duplicates: () => false,
};
