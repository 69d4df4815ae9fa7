/*
 * The part of PostgreSQL's protocol (version 3) that is needed to pass on requests and answers whole. A message is a
 * type letter, a length that includes itself, and a body.
 */

export interface Message {
  readonly type: string;
  /** Letter and length included. */
  readonly bytes: Buffer;
}

/** Splits a stream of bytes into messages, and keeps an incomplete one until its rest arrives. */
export function createSplitter(): (chunk: Buffer) => readonly Message[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const messages: Message[] = [];
    let at = 0;
    while (rest.length - at >= 5) {
      const end = at + 1 + rest.readInt32BE(at + 1);
      if (end > rest.length) break;
      messages.push({ type: String.fromCharCode(rest[at] ?? 0), bytes: rest.subarray(at, end) });
      at = end;
    }
    rest = rest.subarray(at);
    return messages;
  };
}

export function message(type: string, body: Buffer | string = ""): Buffer {
  const text = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(text.length + 4, 1);
  return Buffer.concat([head, text]);
}

export function query(sql: string): Buffer {
  return message("Q", `${sql}\0`);
}

/** A server's answer to a startup message: no password is asked for. */
export function welcome(pid: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeInt32BE(pid);
  const settings = { server_version: "15", client_encoding: "UTF8", TimeZone: "UTC", DateStyle: "ISO, MDY" };
  return Buffer.concat([
    message("R", Buffer.alloc(4)),
    ...Object.entries(settings).map(([name, value]) => message("S", `${name}\0${value}\0`)),
    message("K", key),
    message("Z", "I"),
  ]);
}

/** A notification, as `NOTIFY` of another session causes. */
export function notification(channel: string): Buffer {
  return message("A", Buffer.concat([Buffer.alloc(4), Buffer.from(`${channel}\0\0`)]));
}

/** That a statement failed, as the server says it. */
export function errorResponse(sqlState: string, text: string): Buffer {
  return message("E", `SERROR\0VERROR\0C${sqlState}\0M${text}\0\0`);
}

/** Messages that belong together: up to the one that makes the server answer. */
export interface Request {
  readonly messages: readonly Message[];
  /** For people: the statement, cut to a line. */
  readonly label: string;
  readonly sql: string;
}

/** Query, Sync and Flush: the server answers what was sent up to there. */
const ASKING = new Set(["Q", "S", "H"]);

export function createRequests(): (messages: readonly Message[]) => readonly Request[] {
  let gathered: Message[] = [];
  return (messages) => {
    const requests: Request[] = [];
    for (const one of messages) {
      gathered.push(one);
      if (!ASKING.has(one.type)) continue;
      requests.push(toRequest(gathered));
      gathered = [];
    }
    return requests;
  };
}

function toRequest(messages: readonly Message[]): Request {
  const sql = messages.map(textOf).join(" ").trim();
  return { messages, sql, label: shorten(sql === "" ? "(the next rows)" : sql) };
}

/** The statement, or the name of one that was prepared before. */
function textOf({ type, bytes }: Message): string {
  const body = bytes.subarray(5);
  const first = body.toString("utf8", 0, Math.max(0, body.indexOf(0)));
  if (type === "Q") return first;
  if (type === "P") {
    const start = body.indexOf(0) + 1;
    return body.toString("utf8", start, body.indexOf(0, start));
  }
  if (type !== "B") return "";
  const start = body.indexOf(0) + 1;
  const name = body.toString("utf8", start, body.indexOf(0, start));
  return name === "" ? "" : `(${name})`;
}

const SHOWN = 90;

function shorten(sql: string): string {
  const line = sql.replaceAll(/\s+/g, " ");
  return line.length <= SHOWN ? line : `${line.slice(0, SHOWN)}…`;
}

/** Gives a function that takes the answer's messages in order, and says which one completes it. */
export function createAnswer({ messages }: Request): (answer: Message) => boolean {
  // After Query and Sync comes ReadyForQuery. After Flush nothing marks the end, so the answers are counted.
  if (messages.at(-1)?.type !== "H") return ({ type }) => type === "Z";
  const expected = messages.map(({ type }) => ENDS[type]).filter((ends) => ends !== undefined);
  let ended = 0;
  return ({ type }) => {
    if (type === "E") return true;
    if (expected[ended]?.includes(type)) ended += 1;
    return ended === expected.length;
  };
}

/** What ends the answer to each: parse, bind, describe, execute, close. */
const ENDS: Readonly<Record<string, string>> = { P: "1", B: "2", D: "Tn", E: "CsI", C: "3" };
