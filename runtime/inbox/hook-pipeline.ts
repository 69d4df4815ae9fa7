import type { PoolClient } from "pg";
import { setPipelining, writeTogether } from "../database/pipelining.js";
import { type HookCallRecord, type HookProfile, isPredictable, recordCall } from "./hook-profile.js";

/*
 * The hooks of a batch, pipelined over the connection of its transaction: once a hook has sent as many statements as its calls ever did,
 * the next one begins, so that its statements travel while the answer to the last one is under way. The database gets all
 * statements in the order that they have where each hook waits for the one before; where that cannot be kept nothing is committed,
 * and all end in `Mispredicted`. Hooks of one entity never overlap.
 */

/** A hook did what no call of it had done. Roll back, and call the hooks one at a time. */
export class Mispredicted extends Error {
  override readonly name = "Mispredicted";
  constructor() {
    super("this transaction is rolled back and begun again, with one hook at a time");
  }
}

/** So many hooks at once fill the connection. */
const MOST_AT_ONCE = 32;

export interface Hook {
  /** Of its entity. */
  readonly id: string;
  readonly profile: HookProfile;
  readonly call: (
    record: HookCallRecord,
    /** To be called ahead of each of its statements; may throw. */
    admit: (isAwaited: boolean) => void,
  ) => Promise<void>;
}

export interface HookPipeline {
  /** Resolves when the next hook may be called; false where that makes no sense any more. */
  call(hook: Hook): Promise<boolean>;
  /** Resolves when all have ended. Rejects as the first of them that failed, or with `Mispredicted`. */
  end(): Promise<void>;
}

interface Running {
  readonly hook: Hook;
  readonly record: HookCallRecord;
}

interface Failure {
  /** Which of the hooks failed. */
  readonly at: number;
  readonly error: unknown;
}

/** `oneAtATime`: no hook begins before the one before has ended, and it is never `Mispredicted`. */
export function createHookPipeline(client: PoolClient, oneAtATime: boolean): HookPipeline {
  const running: Running[] = [];
  let called = 0;
  let lastToSend = 0;
  let failure: Failure | undefined;
  let mispredicted = false;
  let leftStatements = false;
  let goOn: (() => void) | undefined;
  const changed = () => goOn?.();
  const change = () =>
    new Promise<void>((resolve) => {
      goOn = resolve;
    });
  const isOver = () => mispredicted || failure !== undefined;

  const start = (hook: Hook) => {
    called += 1;
    const at = called;
    const record = recordCall(hook.profile);
    const one = { hook, record };
    const admit = (isAwaited: boolean) => {
      if (client.pipeline && (at < lastToSend || !isAwaited)) {
        mispredicted = true;
        throw new Mispredicted();
      }
      lastToSend = at;
      if (client.pipeline) writeTogether(client);
      changed();
    };
    const ended = () => {
      running.splice(running.indexOf(one), 1);
      if (record.busy) leftStatements = true;
      if (!isOver()) record.ended();
      changed();
    };
    running.push(one);
    hook.call(record, admit).then(ended, (error: unknown) => {
      if (failure === undefined || at < failure.at) failure = { at, error };
      ended();
    });
  };

  const mayBegin = ({ id }: Hook) => {
    const last = running.at(-1);
    if (last === undefined) return true;
    const hasSentAll = last.record.sent >= last.hook.profile.statements;
    return hasSentAll && running.length < MOST_AT_ONCE && running.every(({ hook }) => hook.id !== id);
  };

  /** All have ended, and the driver waits for each answer again. */
  const drain = async () => {
    while (running.length > 0) await change();
    // It is answered after whatever a hook has not waited for.
    if (leftStatements && client.pipeline) await client.query("").catch(() => undefined);
    leftStatements = false;
    setPipelining(client, false);
  };

  return {
    async call(hook) {
      if (oneAtATime || !isPredictable(hook.profile)) {
        await drain();
        if (isOver()) return false;
        start(hook);
        await drain();
        return !isOver();
      }
      while (!isOver() && !mayBegin(hook)) await change();
      if (isOver()) return false;
      setPipelining(client, true);
      start(hook);
      return true;
    },
    async end() {
      await drain();
      if (mispredicted) throw new Mispredicted();
      if (failure !== undefined) throw failure.error;
    },
  };
}
