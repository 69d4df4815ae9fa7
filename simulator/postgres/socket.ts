import { Duplex } from "node:stream";
import type { Actor, Blocked, Schedule } from "../schedule.js";
import { answeredOrBlocked, type Backend, type Backends } from "./backends.js";
import { createRequests, createSplitter, notification, type Request, welcome } from "./protocol.js";

/*
 * The network between a process and its database, as the driver sees it: a socket. Each request with its
 * answer is one step, so a process can die, or its connection break, before a statement, or after it was
 * executed and before anybody heard of it.
 */

export interface DatabaseNetwork {
  readonly schedule: Schedule;
  readonly backends: Backends;
  /** Every connection that is open. */
  readonly sockets: Set<SimulatedSocket>;
  /** The server is away: connections are refused. */
  down(database: string): boolean;
  /** What becomes of the next request: carried; or the connection breaks before it arrives, or before its answer does. */
  fate(actor: Actor): "carried" | "before" | "after";
  /** Before a statement that asks for the time. */
  syncClock(database: string): Promise<void>;
  /** After a statement that may have committed something. */
  onCommit(database: string): void;
}

export class SimulatedSocket extends Duplex {
  private readonly split = createSplitter();
  private readonly toRequests = createRequests();
  private readonly queue: Request[] = [];
  private backend: Backend | undefined;
  private welcomed = false;
  private asking = false;
  private listening = false;
  private rung = false;

  constructor(
    private readonly actor: Actor,
    readonly database: string,
    private readonly network: DatabaseNetwork,
  ) {
    super({ autoDestroy: true });
    network.sockets.add(this);
  }

  connect(): this {
    const { actor, network, database } = this;
    network.schedule.post(actor, `connect to ${database}`, async () => {
      if (this.destroyed) return undefined;
      if (network.down(database)) this.destroy(refused(database));
      else {
        this.backend = await network.backends.lend(database);
        this.emit("connect");
      }
      return undefined;
    });
    return this;
  }

  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  override _read(): void {
    // Answers are pushed when they come.
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    if (this.welcomed) this.hear(chunk);
    else {
      // The first thing a client says has no letter; whoever asks is let in.
      this.welcomed = true;
      this.push(welcome(this.backend?.pid ?? 0));
    }
    done();
  }

  override _final(done: () => void): void {
    this.destroy();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    void this.hangUp().then(() => done(error));
  }

  /** The server's side notices that the client is gone. The client, if it still lives, is not told. */
  async hangUp(): Promise<void> {
    const { backend, network } = this;
    this.backend = undefined;
    network.sockets.delete(this);
    if (backend === undefined) return;
    await network.schedule.hold(() => network.backends.giveBack(backend));
  }

  /** The connection breaks under the client's hands. */
  cut(): void {
    if (!this.destroyed) this.destroy(reset());
  }

  /** Another session rang: heard by those who listen. */
  ring(channel: string): void {
    if (!this.listening || this.destroyed || this.rung) return;
    this.rung = true;
    this.network.schedule.post(this.actor, `is notified on ${channel}`, async () => {
      this.rung = false;
      if (!this.destroyed) this.push(notification(channel));
      return undefined;
    });
  }

  private hear(chunk: Buffer): void {
    const messages = this.split(chunk);
    this.queue.push(...this.toRequests(messages));
    if (messages.some(({ type }) => type === "X")) this.destroy();
    else this.askNext();
  }

  private askNext(): void {
    const request = this.asking ? undefined : this.queue.shift();
    if (request === undefined) return;
    this.asking = true;
    this.network.schedule.post(this.actor, `${this.database}: ${request.label}`, () => this.carry(request));
  }

  private async carry(request: Request): Promise<Blocked | undefined> {
    const { network, database, backend, actor } = this;
    if (this.destroyed || backend === undefined) return undefined;
    const fate = network.fate(actor);
    if (fate === "before") {
      this.cut();
      return undefined;
    }
    if (asksForTime(request.sql)) await network.syncClock(database);
    if (request.sql.startsWith("LISTEN")) this.listening = true;
    const answer = backend.ask(request);
    // Whoever hangs up while it waits for a lock does not hear how it ended.
    answer.catch(() => undefined);
    const deliver = async () => {
      const bytes = await answer.catch(() => undefined);
      if (COMMITTING.test(request.sql)) network.onCommit(database);
      if (this.destroyed) return;
      if (bytes === undefined || fate === "after") return this.cut();
      this.asking = false;
      this.push(bytes);
      this.askNext();
    };
    if (await answeredOrBlocked(network.backends, backend, answer)) {
      await deliver();
      return undefined;
    }
    return { still: () => network.backends.blocked(backend), finish: deliver };
  }
}

/** One that was prepared before may: it is not said again what it is. */
function asksForTime(sql: string): boolean {
  return sql.startsWith("(") || sql.includes("now()") || sql.includes("clock_timestamp()");
}

const COMMITTING = /^(COMMIT|INSERT|UPDATE|DELETE)/;

function refused(database: string): Error {
  return Object.assign(new Error(`connect ECONNREFUSED (simulated ${database})`), { code: "ECONNREFUSED" });
}

function reset(): Error {
  return Object.assign(new Error("read ECONNRESET (simulated)"), { code: "ECONNRESET" });
}
