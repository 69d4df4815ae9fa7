import { randomInt } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import pg from "pg";

/*
 * A pooler in transaction mode, as PgBouncer is one: all clients share one session, each for a transaction. It answers
 * the start of a session itself, with a key of its own, and passes everything else on.
 */

export interface PoolingProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** `keepsSession`: a session for each client, as in session mode. */
export async function startPoolingProxy(target: string, keepsSession = false): Promise<PoolingProxy> {
  const open: { end(): void }[] = [];
  const connectBackend = async () => {
    const backend = await openBackend(target);
    open.push(backend);
    return backend;
  };
  const shared = keepsSession ? undefined : await connectBackend();
  const server = createServer((socket) => {
    open.push({ end: () => socket.destroy() });
    socket.on("error", () => undefined);
    void serve(socket, async () => shared ?? (await connectBackend()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    async close() {
      for (const each of open) each.end();
      server.close();
      await once(server, "close");
    },
  };
}

interface Backend {
  /** The session's settings as ParameterStatus messages. */
  readonly lent: Mutex;
  /** Passes one message on, and its answer up to the next "ready for query" back, which says whether a transaction is open. */
  exchange(message: Buffer, client: Socket): Promise<"idle" | "open">;
  send(message: Buffer): void;
  end(): void;
}

/** Lets the driver log in, then takes over its socket. */
async function openBackend(target: string): Promise<Backend> {
  const client = new pg.Client({ connectionString: target, options: OURS });
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners();
  stream.on("error", () => undefined);
  return {
    lent: createMutex(),
    send: (message) => void stream.write(message),
    async exchange(message, to) {
      stream.write(message);
      return await new Promise((resolve) => {
        let rest = Buffer.alloc(0);
        const read = (chunk: Buffer) => {
          to.write(chunk);
          rest = Buffer.concat([rest, chunk]);
          for (let size = frameSize(rest, 1); size !== undefined; size = frameSize(rest, 1)) {
            const [type, status] = [rest[0], rest[5]];
            rest = rest.subarray(size);
            if (type !== 0x5a) continue;
            stream.off("data", read);
            resolve(status === 0x49 ? "idle" : "open");
            return;
          }
        };
        stream.on("data", read);
      });
    },
    end: () => void stream.destroy(),
  };
}

/** Passes on the settings that the service asks for: the pooler is detected all the same. */
const OURS = "-c TimeZone=UTC -c statement_timeout=0 -c idle_in_transaction_session_timeout=120000";

async function serve(client: Socket, take: () => Promise<Backend>): Promise<void> {
  let rest = Buffer.alloc(0);
  let begun = false;
  let holding: (() => void) | undefined;
  const backend = take();
  const pending: Buffer[] = [];
  for await (const chunk of client) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    for (
      let size = frameSize(rest, begun ? 1 : 0);
      size !== undefined;
      size = frameSize(rest, begun ? 1 : 0)
    ) {
      const message = rest.subarray(0, size);
      rest = rest.subarray(size);
      if (!begun) {
        begun = true;
        client.write(welcome());
        continue;
      }
      if (message[0] === 0x58) return void client.end();
      // Of the extended protocol only the last message, Sync, is answered with "ready for query".
      const asks = message[0] === 0x51 || message[0] === 0x53;
      if (!asks) {
        pending.push(message);
        continue;
      }
      const server = await backend;
      holding ??= await server.lent();
      const state = await server.exchange(Buffer.concat([...pending.splice(0), message]), client);
      if (state === "open") continue;
      holding();
      holding = undefined;
    }
  }
}

/** The next message, once it is complete; `at`: offset of its length field. */
function frameSize(bytes: Buffer, at: number): number | undefined {
  if (bytes.length < at + 4) return undefined;
  const size = bytes.readInt32BE(at) + at;
  return bytes.length < size ? undefined : size;
}

/** Authentication ok, a key that no server has, ready for query. */
function welcome(): Buffer {
  const ok = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
  const key = Buffer.alloc(13);
  key.write("K");
  key.writeInt32BE(12, 1);
  key.writeInt32BE(randomInt(1, 2 ** 31), 5);
  key.writeInt32BE(randomInt(1, 2 ** 31), 9);
  return Buffer.concat([ok, key, Buffer.from([0x5a, 0, 0, 0, 5, 0x49])]);
}

type Mutex = () => Promise<() => void>;

function createMutex(): Mutex {
  let last = Promise.resolve();
  return async () => {
    const before = last;
    let release: () => void = () => {};
    last = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    return release;
  };
}
