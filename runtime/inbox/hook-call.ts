import type { Pool, PoolClient } from "pg";
import { verbatim } from "../database/mesh-schema.js";
import type { Tx } from "../definition/hook-definition.js";

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
  readonly call: (tx: Tx) => Promise<void> | void | undefined;
}

/**
 * Rejects with what the hook throws, or after its time. Either way nothing of the hook reaches the
 * connection any more: what it still does later must not land in another event's transaction.
 */
export async function callHook({ client, pool, timeoutMs, begin, call }: HookCall): Promise<void> {
  const lent = lend(client, begin);
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HookOverdue(timeoutMs)), timeoutMs);
  });
  try {
    await Promise.race([call(lent.tx), overdue]);
  } catch (error) {
    // Otherwise the rollback would stand in line behind a statement that waits for a lock.
    if (error instanceof HookOverdue && lent.busy()) await cancelStatement(pool, client);
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
  /** A statement is under way. */
  busy(): boolean;
  end(): void;
}

function lend(client: PoolClient, begin: () => Promise<void>): Lent {
  let begun = false;
  let ended = false;
  let underWay = 0;
  const { query: send } = verbatim(client);
  const query = (...given: readonly unknown[]): unknown => {
    if (ended) return Promise.reject(new Error("the transaction of this hook has ended"));
    if (!begun) {
      begun = true;
      // It fails only where the connection is lost or the transaction has failed; so does what follows then.
      begin().catch(() => undefined);
    }
    const answer: unknown = Reflect.apply(send, client, given);
    if (answer instanceof Promise) {
      underWay += 1;
      const settled = () => {
        underWay -= 1;
      };
      answer.then(settled, settled);
    }
    return answer;
  };
  return {
    tx: { query: query as Tx["query"] },
    busy: () => underWay > 0,
    end: () => {
      ended = true;
    },
  };
}

/** Where it cannot be cancelled it is waited for, as any statement. */
async function cancelStatement(pool: Pool, client: PoolClient): Promise<void> {
  const { processID } = client as PoolClient & { readonly processID: number };
  await pool.query("SELECT pg_catalog.pg_cancel_backend($1)", [processID]).catch(() => undefined);
}
