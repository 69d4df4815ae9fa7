import { type AddressInfo, connect, createServer } from "node:net";

/** Stands before a PostgreSQL and cuts one connection in the very moment of a statement. */
export interface CommitCutter {
  readonly url: string;
  /** The next statement that holds the text is cut off: before the server hears of it, or after it has done it. */
  arm(text: string, moment: "before" | "after"): void;
  /** It has happened. */
  cut(): boolean;
  close(): Promise<void>;
}

export async function startCommitCutter(target: string): Promise<CommitCutter> {
  const { hostname, port } = new URL(target);
  let armed: { readonly text: string; readonly moment: "before" | "after" } | undefined;
  let cuts = 0;
  const server = createServer((inside) => {
    const outside = connect(Number(port), hostname);
    let deaf = false;
    const end = () => {
      inside.destroy();
      outside.destroy();
    };
    for (const socket of [inside, outside]) socket.on("error", end).on("close", end);
    inside.on("data", (chunk) => {
      if (armed !== undefined && chunk.includes(armed.text)) {
        const { moment } = armed;
        armed = undefined;
        if (moment === "before") {
          cuts += 1;
          return end();
        }
        deaf = true;
      }
      outside.write(chunk);
    });
    outside.on("data", (chunk) => {
      if (!deaf) return inside.write(chunk);
      // The answer is here, so it is done; the one who asked never learns it.
      cuts += 1;
      end();
      return false;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    arm(text, moment) {
      armed = { text, moment };
    },
    cut: () => cuts > 0,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
