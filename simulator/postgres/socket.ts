import { Duplex } from "node:stream";
import type { Actor, Blocked, Schedule } from "../schedule.js";
import { answeredOrBlocked, type Backend, type Backends } from "./backends.js";
import { createRequests, createSplitter, notification, type Request, welcome } from "./protocol.js";

/*
 * The network between a process and its database, as a socket for the driver. Each request with its answer is one
 * step, so a process can die, or its connection break, before a statement runs, or after it ran and before its answer
 * arrives.
 */

/** Where the connection breaks: nowhere, before the request reaches the server, or before its answer arrives. */
export type RequestFault = "none" | "before" | "after";

export interface DatabaseNetwork {
  readonly schedule: Schedule;
  readonly backends: Backends;
  /** Every open connection. */
  readonly sockets: Set<SimulatedSocket>;
  /** True while the server refuses connections. */
  down(database: string): boolean;
  /** Decides what happens to this actor's next request. */
  nextFault(actor: Actor): RequestFault;
  /** Sets the database's clock to virtual time. Called before a statement that may read it. */
  syncClock(database: string): Promise<void>;
  /** Called after a statement that may have committed something. */
  onCommit(database: string): void;
}

export class SimulatedSocket extends Duplex {
  private readonly split = createSplitter();
  private readonly toRequests = createRequests();
  private readonly queue: Request[] = [];
  private backend: Backend | undefined;
  private welcomed = false;
  private gone = false;
  private asking = false;
  private listening = false;
  private notified = false;

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
        this.backend = await network.backends.acquire(database, actor.name);
        // The client may have gone meanwhile.
        if (this.destroyed || this.gone) await this.hangUp();
        else this.emit("connect");
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
    if (this.welcomed) this.receive(chunk);
    else {
      // A startup message has no type letter. Every client is let in.
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

  /** The server notices that the client is gone: rolls back and releases its locks. Nothing is said to the client. */
  async hangUp(): Promise<void> {
    const { backend, network } = this;
    this.gone = true;
    this.backend = undefined;
    network.sockets.delete(this);
    if (backend === undefined) return;
    await network.schedule.hold(() => network.backends.release(backend));
  }

  /** Breaks the connection: the client sees ECONNRESET. */
  cut(): void {
    if (!this.destroyed) this.destroy(reset());
  }

  /** Delivers a notification, if the client listens. */
  notify(channel: string): void {
    if (!this.listening || this.destroyed || this.notified) return;
    this.notified = true;
    this.network.schedule.post(this.actor, `is notified on ${channel}`, async () => {
      this.notified = false;
      if (!this.destroyed) this.push(notification(channel));
      return undefined;
    });
  }

  private receive(chunk: Buffer): void {
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
    const fault = network.nextFault(actor);
    if (fault === "before") {
      this.cut();
      return undefined;
    }
    if (asksForTime(request.sql)) await network.syncClock(database);
    if (request.sql.startsWith("LISTEN")) this.listening = true;
    const answer = backend.ask(request);
    // Rejects when the client hangs up while its statement waits for a lock.
    answer.catch(() => undefined);
    const deliver = async () => {
      const bytes = await answer.catch(() => undefined);
      if (COMMITTING.test(request.sql)) network.onCommit(database);
      if (this.destroyed) return;
      if (bytes === undefined || fault === "after") return this.cut();
      this.asking = false;
      this.push(bytes);
      this.askNext();
    };
    if (await answeredOrBlocked(network.backends, backend, answer)) {
      await deliver();
      return undefined;
    }
    return {
      isWaiting: () => network.backends.waits(backend),
      finish: async () => {
        // With this lock it may have come to the next one.
        if (!(await answeredOrBlocked(network.backends, backend, answer))) return false;
        await deliver();
        return true;
      },
    };
  }
}

/** A statement that was prepared before may: its text is not sent again. */
function asksForTime(sql: string): boolean {
  return sql.startsWith("(") || /now\(\)|clock_timestamp\(\)|mesh\.(clock|tell_moments)\(/.test(sql);
}

const COMMITTING = /^(COMMIT|INSERT|UPDATE|DELETE)/;

function refused(database: string): Error {
  return Object.assign(new Error(`connect ECONNREFUSED (simulated ${database})`), { code: "ECONNREFUSED" });
}

function reset(): Error {
  return Object.assign(new Error("read ECONNRESET (simulated)"), { code: "ECONNRESET" });
}
