import type pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { type CascadeWorker, startCascadeWorker } from "../../../runtime/cascade/cascade-worker.js";
import type { CascadeDefinition } from "../../../runtime/definition/consumer-definition.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import {
  containers,
  createPool,
  createServiceDatabase,
  type UserHooks,
  userConsumer,
} from "../../support/user-consumer.js";

let pool: pg.Pool;
let workers: CascadeWorker[] = [];

beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
});
afterAll(async () => {
  await pool.end();
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  workers = [];
  await pool.query("TRUNCATE containers, mesh.cascade_task, mesh.applied");
});

function start(
  before: NonNullable<UserHooks["before"]>,
  timeoutMs = 1_000,
  database: pg.Pool = pool,
): CascadeWorker {
  const consumers = [userConsumer({ hooks: { before } })];
  const worker = startCascadeWorker({
    pool: database,
    consumers,
    logger: silent,
    timeoutMs,
    pollMs: 50,
    backoffMs: 20,
  });
  workers.push(worker);
  return worker;
}

const containerRule = (): CascadeDefinition => ({ action: "delete", table: containers, column: "user_id" });

function startWith(cascades: readonly CascadeDefinition[]): void {
  const consumer = userConsumer({});
  const events = consumer.events.map((consumed) => ({
    ...consumed,
    cascades: consumed.event.change === "delete" ? cascades : [],
  }));
  const options = { pool, consumers: [{ ...consumer, events }], logger: silent, pollMs: 50, backoffMs: 20 };
  workers.push(startCascadeWorker(options));
}

async function doom(count: number): Promise<void> {
  await pool.query(
    "INSERT INTO containers (container_id, user_id, created_at) SELECT 'c' || n, 'a', '2024-01-02 03:04:05' FROM generate_series(1, $1) n",
    [count],
  );
  await pool.query(`INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key)
    SELECT 'auth.user', user_id, 'tearDown', 'containers', container_id FROM containers`);
}

async function left(): Promise<{ readonly rows: number; readonly tasks: number }> {
  const { rows } = await pool.query(
    "SELECT (SELECT count(*)::int FROM containers) AS rows, (SELECT count(*)::int FROM mesh.cascade_task) AS tasks",
  );
  return rows[0];
}

const empty = async () => {
  const { rows, tasks } = await left();
  return rows === 0 && tasks === 0;
};

describe("the cascade worker", () => {
  it("calls the hook with the row, then deletes row and task", async () => {
    const seen: unknown[] = [];
    await doom(1);
    start(async ({ row }) => void seen.push(row));
    await waitFor(empty);
    expect(seen).toEqual([
      {
        container_id: "c1",
        user_id: "a",
        namespace: "",
        memory_mb: 512,
        created_at: "2024-01-02T03:04:05.000000Z",
      },
    ]);
  });

  it("keeps the row until the hook succeeds, and says why", async () => {
    let allowed = false;
    await doom(1);
    start(async () => {
      if (!allowed) throw new Error("cluster is down");
    });
    await waitFor(async () => {
      const { rows } = await pool.query("SELECT attempts, last_error FROM mesh.cascade_task");
      return rows[0].attempts >= 2 && rows[0].last_error === "cluster is down";
    });
    expect(await left()).toEqual({ rows: 1, tasks: 1 });
    allowed = true;
    await waitFor(empty);
  });

  it.each(["next_at", "leased_until"])(
    "takes a task that is due although the database's clock was set back: %s",
    async (column) => {
      await doom(1);
      await pool.query(`UPDATE mesh.cascade_task SET ${column} = now() + interval '1 hour'`);
      start(async () => undefined);
      await waitFor(empty);
    },
  );

  it("retries a hook that fails for an hour and more, with a back-off of at most five minutes", async () => {
    let allowed = false;
    await doom(1);
    // As an hour of failures leaves it.
    await pool.query("UPDATE mesh.cascade_task SET attempts = 40, last_error = 'cluster is down'");
    start(async () => {
      if (!allowed) throw new Error("cluster is still down");
    });
    const { waits, attempts } = await waitFor(async () => {
      const { rows } = await pool.query<{ waits: number; attempts: number }>(
        // now() is from before the snapshot, in which the worker may have come in between.
        "SELECT extract(epoch FROM next_at - clock_timestamp())::float8 AS waits, attempts FROM mesh.cascade_task WHERE last_error LIKE '%still%'",
      );
      return rows[0];
    });
    expect(attempts).toBe(41);
    expect(waits).toBeGreaterThan(90);
    expect(waits).toBeLessThanOrEqual(300);
    expect(await left()).toEqual({ rows: 1, tasks: 1 });
    allowed = true;
    await pool.query("UPDATE mesh.cascade_task SET next_at = now()");
    await waitFor(empty);
  });

  it("calls the hook for the row that has taken the key of one that is gone, and is pending deletion too", async () => {
    const seen: string[] = [];
    await doom(1);
    start(async ({ row }) => {
      const { user_id } = row as { readonly user_id?: string };
      seen.push(user_id ?? "");
      if (user_id !== "a") return;
      await pool.query("UPDATE containers SET user_id = 'b'");
      await pool.query("UPDATE mesh.cascade_task SET entity_id = 'b'");
    });
    await waitFor(empty);
    expect(seen).toEqual(["a", "b"]);
  });

  it.each([
    { inserted: "of a user who lives again: it stays", doomed: false, called: ["old"] },
    { inserted: "pending deletion too: its hook is called", doomed: true, called: ["old", "new"] },
  ])(
    "spares a row that was inserted under the key while the hook ran, $inserted",
    async ({ doomed, called }) => {
      const seen: string[] = [];
      await doom(1);
      await pool.query("UPDATE containers SET namespace = 'old'");
      const worker = start(async ({ row }) => {
        const { namespace } = row as { readonly namespace?: string };
        seen.push(namespace ?? "");
        if (namespace === "new") return;
        await pool.query("DELETE FROM containers");
        await pool.query(
          "INSERT INTO containers (container_id, user_id, namespace) VALUES ('c1', 'a', 'new')",
        );
        if (doomed)
          await pool.query(`INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key, next_at)
          VALUES ('auth.user', 'a', 'tearDown', 'containers', 'c1', now() + interval '0.5 s')`);
      });
      await waitFor(async () => worker.stats().done === called.length);
      expect({ seen, ...(await left()) }).toEqual({ seen: called, rows: doomed ? 0 : 1, tasks: 0 });
    },
  );

  it("shares tasks between replicas: each row's hook is called once", async () => {
    const calls = new Map<string, number>();
    const before: NonNullable<UserHooks["before"]> = async ({ row }) => {
      calls.set(row.container_id, (calls.get(row.container_id) ?? 0) + 1);
      await new Promise((wake) => setTimeout(wake, 5));
    };
    await doom(60);
    start(before);
    start(before);
    await waitFor(empty);
    expect([...calls.values()]).toEqual(Array.from({ length: 60 }, () => 1));
  });

  it("the lease: takes a killed process's task over within seconds, and keeps its own for as long as the hook takes", async () => {
    await doom(1);
    let calls = 0;
    start(async () => {
      calls += 1;
      await new Promise((wake) => setTimeout(wake, 6_000));
    }, 30_000);
    await waitFor(async () => calls === 1);
    const leftFor = async () => {
      const { rows } = await pool.query<{ seconds: number }>(
        "SELECT extract(epoch FROM leased_until - now())::double precision AS seconds FROM mesh.cascade_task",
      );
      return rows[0]?.seconds;
    };
    expect(await leftFor()).toBeLessThanOrEqual(15);
    const before = await pool.query("UPDATE mesh.cascade_task SET leased_until = now() + interval '5 s'");
    expect(before.rowCount).toBe(1);
    await waitFor(async () => ((await leftFor()) ?? 0) > 10, {
      timeoutMs: 5_500,
      what: "the lease to be renewed",
    });
    await waitFor(empty);
    expect(calls).toBe(1);
  });

  it("gives a hook that hangs up after its time, and lets a row go that went elsewhere", async () => {
    await doom(2);
    await pool.query("UPDATE containers SET user_id = 'b' WHERE container_id = 'c2'");
    let aborted = false;
    start(async ({ signal }) => {
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      await new Promise(() => undefined);
    }, 60);
    await waitFor(async () => aborted && (await left()).tasks === 1);
    expect((await pool.query("SELECT container_id FROM containers ORDER BY 1")).rows).toHaveLength(2);
  });

  it.each(["renamed", "taken away"])("performs the tasks of a hook that was %s since", async (how) => {
    const seen: string[] = [];
    const tearDown = async ({ row }: { readonly row: { readonly container_id: string } }) => {
      seen.push(row.container_id);
    };
    await doom(1);
    await pool.query("UPDATE mesh.cascade_task SET hook = 'formerName'");
    if (how === "renamed") start(tearDown);
    else startWith([containerRule()]);
    await waitFor(empty);
    expect(seen).toEqual(how === "renamed" ? ["c1"] : []);
  });

  it("tells of a task whose rule is gone, and how to let its row stay", async () => {
    await doom(1);
    startWith([]);
    const error = async () =>
      (await pool.query("SELECT last_error FROM mesh.cascade_task")).rows[0]?.last_error ?? "";
    await waitFor(async () => (await error()) !== "");
    expect(await error()).toMatch(
      /^no rule of this version of the service removes rows of containers for auth.user, as one with the hook tearDown did;/,
    );
    await pool.query(/DELETE FROM .*/.exec(await error())?.[0] ?? "");
    expect(await left()).toEqual({ rows: 1, tasks: 0 });
  });

  it("removes a row by either of two columns whose rules have one hook", async () => {
    await doom(2);
    await pool.query("UPDATE containers SET namespace = 'a', user_id = 'b' WHERE container_id = 'c2'");
    const seen: string[] = [];
    const call = async ({ row }: { readonly row: object }) => {
      seen.push((row as { readonly container_id: string }).container_id);
    };
    const before = { name: "tearDown", call };
    startWith([
      { ...containerRule(), before },
      { ...containerRule(), column: "namespace", before },
    ]);
    await waitFor(empty);
    expect(seen.toSorted()).toEqual(["c1", "c2"]);
  });

  it("is woken by whoever wrote the task, and stops in the middle of a call", async () => {
    const worker = start(async ({ signal }) => {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    }, 30_000);
    await doom(1);
    worker.wake();
    await waitFor(() => worker.stats().running === 1);
    await worker.stop();
    const { rows } = await pool.query("SELECT leased_until, next_at <= now() AS due FROM mesh.cascade_task");
    expect(rows).toEqual([{ leased_until: null, due: true }]);
  });

  it("stops also while it reads the row, and calls nobody any more", async () => {
    let called = false;
    let stopped: Promise<void> | undefined;
    const query = (...given: readonly unknown[]) => {
      if (String(given[0]).includes('FROM "containers"')) stopped ??= worker.stop();
      return Reflect.apply(pool.query, pool, given);
    };
    const hook = ({ signal }: { readonly signal: AbortSignal }) => {
      called = true;
      return new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const worker = start(hook, 1_000, Object.assign(Object.create(pool) as pg.Pool, { query }));
    await doom(1);
    worker.wake();
    await waitFor(() => stopped !== undefined);
    await stopped;
    expect({ called, ...(await left()) }).toEqual({ called: false, rows: 1, tasks: 1 });
  });
});

it("forgets why tasks could not be read once they can be, also where none waits", async () => {
  const worker = start(async () => undefined);
  await pool.query("ALTER TABLE mesh.cascade_task RENAME TO cascade_task_away");
  try {
    await waitFor(() => worker.stats().lastError?.includes("cascade_task") === true, {
      timeoutMs: 10_000,
      what: "the error of reading",
    });
  } finally {
    await pool.query("ALTER TABLE mesh.cascade_task_away RENAME TO cascade_task");
  }
  await waitFor(() => worker.stats().lastError === undefined, {
    timeoutMs: 10_000,
    what: "the error to be forgotten",
  });
});
