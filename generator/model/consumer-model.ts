import type { CascadeAction } from "@meshwright/runtime/vocabulary";
import type { Sync } from "./database-model.js";

/*
 * What a service hears, and what it does then beside its hooks.
 */

/** One durable pull consumer: one service, one subscribed entity; and another for each name under which it hears the entity again. */
export interface Consumer {
  /** `mailer`: of hooks alone, without cache and cascades. */
  readonly name: string | undefined;
  /** `sfs_auth_user`, `sfs_auth_user_mailer`. Renaming a durable makes JetStream start a new one, so it depends on ids alone. */
  readonly durable: string;
  readonly stream: string;
  /** `auth.user.*`, or one action of it: `auth.user.deleted`. */
  readonly pattern: string;
  /** `auth.user.*.*`, `auth.user.*.deleted` */
  readonly filter: string;
  /** `auth.user`: whose events it receives. */
  readonly entity: string;
  readonly publisher: string;
  /** Names of the events it receives, in canonical order. */
  readonly events: readonly string[];
  /** The cache table it keeps, in the service's database. */
  readonly cache: string | undefined;
  /**
   * Where a service that keeps no cache reads which entities there are, so that a lost deletion does not
   * leave its rows for ever; undefined with a cache, and where the owner serves no list of them.
   */
  readonly source: Source | undefined;
  readonly cascades: readonly Cascade[];
  readonly delivery: Delivery;
  readonly names: {
    /** `SfsUser`: prefix of `SfsUserHooks`. */
    readonly type: string;
    /** `sfsUser`: prefix of `sfsUserConsumer`. */
    readonly value: string;
    /** `auth-user.ts`, `auth.user.mailer.ts`, in the service's folder of consumers. */
    readonly file: string;
  };
}

export interface Cascade {
  /** Name of the event that sets it off: `UserDeleted`. */
  readonly event: string;
  readonly action: CascadeAction;
  readonly table: string;
  readonly column: string;
  /** Name of the hook that is called for each row before it goes. */
  readonly before: string | undefined;
}

export interface Delivery {
  /** How often a failing handler is tried before the event becomes a dead letter. */
  readonly attempts: number;
  /** Seconds to wait after each failed attempt; the last one repeats. */
  readonly backoffSeconds: readonly number[];
  readonly ackWaitSeconds: number;
  readonly maxAckPending: number;
  readonly batch: number;
}

export interface Source extends Sync {
  /** Fields of each element that make the entity's id. */
  readonly key: readonly string[];
}
