import type { Socket } from "node:net";
import pg, { escapeLiteral } from "pg";
import { real } from "../time.js";
import { createAnswer, createSplitter, errorResponse, query, type Request } from "./protocol.js";

/*
 * A pool of connections to the real server, for the simulated sockets. Kept from schedule to schedule, since opening
 * one takes longer than all the requests of a schedule over it.
 */

export interface Backend {
  readonly database: string;
  readonly pid: number;
  /** Sends a request and resolves with the answer's bytes. One at a time. */
  ask(request: Request): Promise<Buffer>;
  /** A request is in flight. */
  readonly asked: boolean;
}

export interface Backends {
  /** `name` becomes the session's application_name. */
  acquire(database: string, name: string): Promise<Backend>;
  /** Rolls back what is open and releases all locks, as when a client is gone. Resolves when that is done. */
  release(backend: Backend): Promise<void>;
  /**
   * True while its statement waits for a lock that another session holds. Where that session waits for this one in turn, the
   * statement fails with 40P01 and false is returned: its answer is to come. The server would find the deadlock too, but at a
   * moment that no seed decides.
   */
  waits(backend: Backend): Promise<boolean>;
  close(): Promise<void>;
}

interface OpenBackend extends Backend {
  readonly socket: Socket;
  /** The statement in flight is being cancelled; its answer shall say that it closed a deadlock. */
  deadlocked: boolean;
}

/** Whom a session waits for, and whom those wait for. */
const WAITS = `WITH RECURSIVE waited (pid) AS (
  SELECT unnest(pg_blocking_pids($1))
  UNION SELECT next FROM waited CROSS JOIN LATERAL unnest(pg_blocking_pids(waited.pid)) AS next
) SELECT count(*) > 0 AS waits, coalesce(bool_or(pid = $1), false) AS closes FROM waited`;

export async function openBackends(urlOf: (database: string) => string): Promise<Backends> {
  const idle = new Map<string, OpenBackend[]>();
  const all = new Set<OpenBackend>();
  let control: pg.Client | undefined;
  const ask = async (sql: string, values: readonly unknown[], database: string) => {
    if (control === undefined) {
      control = new pg.Client({ connectionString: urlOf(database) });
      await control.connect();
    }
    return await control.query<{ waits: boolean; closes: boolean }>(sql, [...values]);
  };

  return {
    async acquire(database, name) {
      const backend = idle.get(database)?.pop() ?? (await openBackend(database, urlOf(database)));
      all.add(backend);
      await backend.ask(requestOf(`SET application_name = ${escapeLiteral(name)}`));
      return backend;
    },
    async release(backend) {
      const open = backend as OpenBackend;
      if (open.asked) {
        // Its statement may wait for a lock that the caller holds: the answer would never come.
        all.delete(open);
        const gone = new Promise((resolve) => open.socket.once("close", resolve));
        await ask("SELECT pg_terminate_backend($1)", [open.pid], open.database);
        await gone;
        return;
      }
      await open.ask(requestOf("ROLLBACK"));
      await open.ask(requestOf("DISCARD ALL"));
      const others = idle.get(open.database);
      if (others === undefined) idle.set(open.database, [open]);
      else others.push(open);
    },
    async waits(backend) {
      const open = backend as OpenBackend;
      if (open.deadlocked) return false;
      const { rows } = await ask(WAITS, [open.pid], open.database);
      if (rows[0]?.closes !== true) return rows[0]?.waits === true;
      open.deadlocked = true;
      await ask("SELECT pg_cancel_backend($1)", [open.pid], open.database);
      return false;
    },
    async close() {
      for (const { socket } of all) socket.destroy();
      await control?.end();
    },
  };
}

function requestOf(sql: string): Request {
  return { messages: [{ type: "Q", bytes: query(sql) }], sql, label: sql };
}

/** Lets the driver log in, then takes its socket over: from then on bytes are passed on without the driver. */
async function openBackend(database: string, url: string): Promise<OpenBackend> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const { stream: socket } = (client as unknown as { readonly connection: { readonly stream: Socket } })
    .connection;
  socket.removeAllListeners("data");
  socket.removeAllListeners("close");
  socket.removeAllListeners("error");
  client.on("error", () => undefined);
  const split = createSplitter();
  let complete: ReturnType<typeof createAnswer> | undefined;
  let settle: ((answer: Buffer) => void) | undefined;
  let fail: ((error: Error) => void) | undefined;
  let answer: Buffer[] = [];
  let deadlocked = false;
  socket.on("data", (chunk: Buffer) => {
    for (const one of split(chunk)) {
      // Notifications would come at times that the schedule does not choose; it sends its own.
      if (one.type === "A") continue;
      answer.push(deadlocked && one.type === "E" ? errorResponse("40P01", "deadlock detected") : one.bytes);
      if (complete?.(one) !== true) continue;
      const whole = Buffer.concat(answer);
      answer = [];
      complete = undefined;
      settle?.(whole);
    }
  });
  socket.on("error", () => undefined);
  socket.on("close", () => fail?.(new Error("the database server closed the connection")));
  return {
    database,
    pid: rows[0]?.pid ?? 0,
    socket,
    get asked() {
      return complete !== undefined;
    },
    get deadlocked() {
      return deadlocked;
    },
    set deadlocked(now) {
      deadlocked = now;
    },
    ask: (request) =>
      new Promise((resolve, reject) => {
        deadlocked = false;
        complete = createAnswer(request);
        settle = resolve;
        fail = reject;
        socket.write(Buffer.concat(request.messages.map(({ bytes }) => bytes)));
      }),
  };
}

/** Real time after which the server is asked whether a statement waits for a lock. Decides nothing: it is asked until it is sure. */
const LOCK_CHECK_MS = 3;

/** Resolves with true when the answer is there, with false when the statement waits for a lock. */
export async function answeredOrBlocked(
  backends: Backends,
  backend: Backend,
  answer: Promise<unknown>,
): Promise<boolean> {
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = real.setTimeout(() => resolve(false), LOCK_CHECK_MS) as NodeJS.Timeout;
    });
    // Rejected, it has no answer to come either: its client hung up while it waited, and the server ended the session.
    const ended = () => true as const;
    const answered = await Promise.race([answer.then(ended, ended), late]);
    real.clearTimeout(timer);
    if (answered) return true;
    if (await backends.waits(backend)) return false;
  }
}
