import type { Pool, PoolClient } from "pg";
import { verbatim } from "../database/mesh-schema.js";
import type { Tx } from "../definition/hook-definition.js";
import type { HookCallRecord } from "./hook-profile.js";

/*
 * A hook is the service's own code and may never return. Row locks and the consumer wait for it, so it has a time limit;
 * after that its event fails as if the hook had thrown.
 */

/** How long a hook may take, in ms; a hook before a deletion has the same limit. */
export const HOOK_MS = 60_000;

export interface HookCall {
  readonly client: PoolClient;
  /** For ending a statement that the hook left running. */
  readonly pool: Pool;
  readonly timeoutMs: number;
  /** Called ahead of the hook's first statement: what it queues on the connection is sent first. */
  readonly begin: () => Promise<void>;
  /** Told of its statements. */
  readonly record: HookCallRecord;
  /** Called ahead of each statement, before `begin`; what it throws is thrown to the hook, and the statement is not sent. */
  readonly admit: (isAwaited: boolean) => void;
  readonly call: (tx: Tx) => Promise<void> | void | undefined;
}

/**
 * Rejects with what the hook throws, or after its time. Either way nothing of the hook reaches the
 * connection any more: what it still does later must not land in another event's transaction.
 */
export async function callHook(hook: HookCall): Promise<void> {
  const { client, pool, timeoutMs, record, call } = hook;
  const lent = lend(hook);
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HookOverdue(timeoutMs)), timeoutMs);
  });
  try {
    await Promise.race([call(lent.tx), overdue]);
  } catch (error) {
    // Otherwise the rollback would stand in line behind a statement that waits for a lock.
    if (error instanceof HookOverdue && record.busy) await cancelStatement(pool, client);
    throw error;
  } finally {
    clearTimeout(timer);
    lent.end();
  }
}

class HookOverdue extends Error {
  override readonly name = "HookOverdue";
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs / 1_000} s`);
  }
}

interface Lent {
  readonly tx: Tx;
  end(): void;
}

function lend({ client, begin, record, admit }: HookCall): Lent {
  let begun = false;
  let ended = false;
  const { query: send } = verbatim(client);
  const query = (...given: readonly unknown[]): unknown => {
    if (ended) return Promise.reject(new Error("the transaction of this hook has ended"));
    const isAwaited = isAnsweredByPromise(given);
    admit(isAwaited);
    record.sending(isAwaited);
    if (!begun) {
      begun = true;
      record.beginning();
      // It fails only where the connection is lost or the transaction has failed; so does what follows then.
      begin().then(record.answered, record.answered);
    }
    const answer: unknown = Reflect.apply(send, client, given);
    if (answer instanceof Promise) answer.then(record.answered, record.answered);
    return answer;
  };
  return {
    tx: { query: query as Tx["query"] },
    end: () => {
      ended = true;
    },
  };
}

/** Not a cursor, which holds the connection until it is read, and no statement with a callback. */
function isAnsweredByPromise(given: readonly unknown[]): boolean {
  const [query] = given;
  const isObject = typeof query === "object" && query !== null;
  if (isObject && ("submit" in query || "callback" in query || "rows" in query)) return false;
  return !given.some((one) => typeof one === "function");
}

/** Where it cannot be cancelled it is waited for, as any statement. */
async function cancelStatement(pool: Pool, client: PoolClient): Promise<void> {
  const { processID } = client as PoolClient & { readonly processID: number };
  await pool.query("SELECT pg_catalog.pg_cancel_backend($1)", [processID]).catch(() => undefined);
}
