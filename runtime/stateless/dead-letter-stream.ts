import { randomUUID } from "node:crypto";
import type { Broker, StoredMessage } from "../broker/broker.js";
import {
  type DeadLetter,
  type DeadLetterReason,
  type Settlement,
  type Settling,
  textOf,
} from "../consumer/dead-letters.js";
import type { StreamDefinition } from "../definition/stream-definition.js";
import { clip } from "../text/clip.js";

/*
 * What of a service without a database outlives its process: dead letters, and the attempts at messages that failed. A
 * stream of the service's own, in which each subject keeps its last message and which refuses more once it is full:
 *
 *   $MESH.<service>.dead.<durable>.<message>        a dead letter: a line of JSON, then the body of the message as it came
 *   $MESH.<service>.rest.<durable>.<message>.<n>    what of a dead letter is too large for one message
 *   $MESH.<service>.settled.<durable>.<message>     what an operator has done with a dead letter, which is gone: its line of JSON
 *   $MESH.<service>.attempt.<durable>.<message>     how often the message was tried
 *
 * <message> is its sequence and when it was stored: a stream that is made anew uses its sequences again.
 */

export interface DeadLetterStream {
  readonly definition: StreamDefinition;
  /** Idempotent: recording it again, after a crash before the message is terminated, replaces it. */
  record(message: StoredMessage, letter: RecordedLetter): Promise<void>;
  /** Oldest first; those that wait, or those that an operator has settled. */
  list(of?: { readonly settled?: boolean }): Promise<readonly DeadLetter[]>;
  /** How many letters there are, or messages with attempts on record, by durable. */
  count(of: "dead" | "attempt"): Promise<ReadonlyMap<string, number>>;
  show(id: number): Promise<(DeadLetter & { readonly body: Buffer }) | undefined>;
  /** Leaves a record of the letter in its place. False when none of this id waits. */
  settle(id: number, settlement: Settling & Pick<Settlement, "as">): Promise<boolean>;
  /** Undefined where none is on record. */
  attemptsAt(message: MessagePlace): Promise<RecordedAttempts | undefined>;
  recordAttempts(message: MessagePlace, attempts: RecordedAttempts): Promise<void>;
  forgetAttempts(message: MessagePlace): Promise<void>;
}

export interface RecordedLetter {
  readonly durable: string;
  readonly entityId: string | undefined;
  readonly reason: DeadLetterReason;
}

/** Which message of a durable's stream it is. */
export interface MessagePlace {
  readonly durable: string;
  readonly seq: number;
  readonly time: Date;
}

export interface RecordedAttempts {
  readonly attempts: number;
  /** Of the last attempt; null while it is under way, or when it ended the process. */
  readonly error: string | null;
}

/** `mailer`: the stream of its dead letters. */
export function deadLetterStreamOf(of: {
  readonly service: string;
  readonly name: string;
  readonly replicas?: number;
}): StreamDefinition {
  const { service, ...named } = of;
  return {
    ...named,
    subjects: [`$MESH.${service}.>`],
    maxAgeSeconds: 0,
    maxMessages: 1_000_000,
    maxBytes: 2 ** 30,
    duplicateWindowSeconds: 120,
    deadLetters: true,
  };
}

/** What the broker adds to a message of ours: the id header. */
const HEADER_BYTES = 1_024;
const DEFAULT_PAYLOAD = 2 ** 20;
const LONGEST_ERROR = 10_000;
/** Letters that are read at a time. */
const WINDOW = 32;

/** The line of JSON at the head of a dead letter. */
interface Head {
  readonly durable: string;
  readonly stream: string;
  readonly seq: number;
  readonly time: string;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: string;
  readonly attempts: number;
  readonly entityId: string | null;
  readonly bodyBytes: number;
  /** Of a record: the letter that it stands for. */
  readonly record?: Pick<DeadLetter, "id" | "failedAt"> & { readonly settled: Settlement };
}

export function openDeadLetterStream(broker: Broker, definition: StreamDefinition): DeadLetterStream {
  const prefix = definition.subjects[0]?.replace(/\.>$/, "") ?? "";
  const { name: stream } = definition;
  const subjectOf = (kind: "dead" | "rest" | "settled" | "attempt", { durable, seq, time }: MessagePlace) =>
    `${prefix}.${kind}.${durable}.${seq}-${time.getTime()}`;
  const publish = (subject: string, body: Uint8Array) => broker.publish({ subject, id: randomUUID(), body });
  const subjectsOf = (kind: "dead" | "settled" | "attempt") =>
    broker.subjectsOf(stream, `${prefix}.${kind}.>`);
  const restOf = (subject: string, part: number) =>
    `${subject.replace(`${prefix}.dead.`, `${prefix}.rest.`)}.${part}`;

  const read = async (found: StoredMessage): Promise<DeadLetter & { readonly body: Buffer }> => {
    const first = Buffer.from(found.body);
    const end = first.indexOf("\n");
    const head = JSON.parse(first.subarray(0, end).toString()) as Head;
    const parts = [first.subarray(end + 1)];
    const length = () => parts.reduce((sum, part) => sum + part.length, 0);
    while (length() < head.bodyBytes) {
      const rest = await broker.storedMessage(stream, { last: restOf(found.subject, parts.length) });
      if (rest === undefined) throw new Error(`part ${parts.length} of dead letter ${found.seq} is missing`);
      parts.push(Buffer.from(rest.body));
    }
    const {
      time: _,
      record = { id: found.seq, failedAt: found.time.toISOString(), settled: null },
      ...facts
    } = head;
    return { ...facts, ...record, body: Buffer.concat(parts) };
  };
  const letterAt = async (id: number): Promise<StoredMessage | undefined> => {
    const found = await broker.storedMessage(stream, { seq: id });
    return found?.subject.startsWith(`${prefix}.dead.`) === true ? found : undefined;
  };

  return {
    definition,
    async record(message, { durable, entityId, reason }) {
      const { error, attempts } = textOf(reason);
      const { seq, time, subject, headers } = message;
      const head: Head = {
        ...{ durable, stream: message.stream, seq, time: time.toISOString(), subject, headers },
        ...{ error: clip(error, LONGEST_ERROR), attempts, entityId: entityId ?? null },
        bodyBytes: message.body.length,
      };
      const whole = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), message.body]);
      const size = (broker.maxPayload() ?? DEFAULT_PAYLOAD) - HEADER_BYTES;
      const letter = subjectOf("dead", { durable, seq, time });
      // The head last: a letter that can be seen is whole.
      for (let part = Math.ceil(whole.length / size) - 1; part >= 0; part -= 1)
        await publish(
          part === 0 ? letter : restOf(letter, part),
          whole.subarray(part * size, (part + 1) * size),
        );
    },
    async list({ settled = false } = {}) {
      const subjects = await subjectsOf(settled ? "settled" : "dead");
      const letters: DeadLetter[] = [];
      for (let at = 0; at < subjects.length; at += WINDOW) {
        const found = await Promise.all(
          subjects
            .slice(at, at + WINDOW)
            .map(async (subject) => await broker.storedMessage(stream, { last: subject })),
        );
        for (const one of found) {
          if (one === undefined) continue;
          const { body: _, ...letter } = await read(one);
          letters.push(letter);
        }
      }
      return letters.sort((a, b) => a.id - b.id);
    },
    async count(of) {
      const counts = new Map<string, number>();
      const before = `${prefix}.${of}.`.length;
      for (const subject of await subjectsOf(of)) {
        const durable = subject.slice(before, subject.lastIndexOf("."));
        counts.set(durable, (counts.get(durable) ?? 0) + 1);
      }
      return counts;
    },
    async show(id) {
      const found = await letterAt(id);
      return found && (await read(found));
    },
    async settle(id, { as, by = null, why = null }) {
      const found = await letterAt(id);
      if (found === undefined) return false;
      const first = Buffer.from(found.body);
      const head = JSON.parse(first.subarray(0, first.indexOf("\n")).toString()) as Head;
      const settled: Settlement = { as, at: new Date().toISOString(), by, why };
      const record = { id, failedAt: found.time.toISOString(), settled };
      await publish(
        found.subject.replace(`${prefix}.dead.`, `${prefix}.settled.`),
        Buffer.from(`${JSON.stringify({ ...head, bodyBytes: 0, record })}\n`),
      );
      for (let part = 1; ; part += 1) {
        const rest = await broker.storedMessage(stream, { last: restOf(found.subject, part) });
        if (rest === undefined) break;
        await broker.deleteMessage(stream, rest.seq);
      }
      return await broker.deleteMessage(stream, id);
    },
    async attemptsAt(message) {
      const found = await broker.storedMessage(stream, { last: subjectOf("attempt", message) });
      return found && (JSON.parse(Buffer.from(found.body).toString()) as RecordedAttempts);
    },
    async recordAttempts(message, { attempts, error }) {
      const recorded = { attempts, error: error === null ? null : clip(error, LONGEST_ERROR) };
      await publish(subjectOf("attempt", message), Buffer.from(JSON.stringify(recorded)));
    },
    async forgetAttempts(message) {
      const found = await broker.storedMessage(stream, { last: subjectOf("attempt", message) });
      if (found !== undefined) await broker.deleteMessage(stream, found.seq);
    },
  };
}
