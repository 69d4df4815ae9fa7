import { type ConsumerInfo, type JetStreamManager, NatsError } from "nats";
import { describe, expect, it } from "vitest";
import { endIfPassed, removePastEnd } from "../../../runtime/broker/past-end.js";
import { recordingLogger } from "../../support/loggers.js";

/*
 * Answers of a broker that a real one gives too seldom, or, from 2.14 on, no more. `lost-tail.test.ts` has the real one.
 */

const durable = (delivered: number) =>
  ({ stream_name: "S", name: "reader", delivered: { stream_seq: delivered } }) as ConsumerInfo;

/** The code of the client's error for a permission that is missing. */
const DENIED = "PERMISSIONS_VIOLATION";
const refused = (code: string, errCode?: number) =>
  Object.assign(new NatsError("refused", code), { api_error: errCode && { err_code: errCode } });

function streamThatEnds(...answers: readonly (number | Error)[]) {
  let asked = 0;
  const info = async () => {
    const answer = answers[asked] ?? 0;
    asked += 1;
    if (answer instanceof Error) throw answer;
    return { state: { last_seq: answer } };
  };
  return { manager: { streams: { info } } as unknown as JetStreamManager, asked: () => asked };
}

describe("a durable is past the end of its stream", () => {
  it("not where it has delivered what is last, or less", async () => {
    const { manager, asked } = streamThatEnds(8, 9);
    expect(await endIfPassed(manager, durable(8))).toBeUndefined();
    expect(await endIfPassed(manager, durable(8))).toBeUndefined();
    expect(asked()).toBe(2);
  });

  it("not where the one who answers for the stream is behind for a moment", async () => {
    const { manager, asked } = streamThatEnds(7, 12);
    expect(await endIfPassed(manager, durable(8))).toBeUndefined();
    expect(asked()).toBe(2);
  });

  it("where the stream ends before it, and still does a moment later", async () => {
    expect(await endIfPassed(streamThatEnds(2, 4).manager, durable(8))).toBe(4);
    expect(await endIfPassed(streamThatEnds(0, 0).manager, durable(8))).toBe(0);
  });

  it("or not, as far as one can tell who may not ask about the stream", async () => {
    expect(await endIfPassed(streamThatEnds(refused(DENIED)).manager, durable(8))).toBeUndefined();
  });
});

describe("a durable past the end of its stream", () => {
  const remove = async (answer: boolean | Error, present = 8) => {
    const removed: string[] = [];
    const logger = recordingLogger();
    const answered = async (stream: string, name: string) => {
      removed.push(`${stream} ${name}`);
      if (answer instanceof Error) throw answer;
      return answer;
    };
    const info = async () => durable(present);
    const manager = { consumers: { delete: answered, info } } as unknown as JetStreamManager;
    await removePastEnd(manager, durable(8), { end: 2, logger });
    return { removed, lines: logger.lines };
  };

  it("is removed, which is said", async () => {
    const { removed, lines } = await remove(true);
    expect(removed).toEqual(["S reader"]);
    expect(lines).toMatchObject([{ fields: { stream: "S", durable: "reader", delivered: 8, end: 2 } }]);
  });

  it("is left alone where another replica has made it anew meanwhile", async () => {
    expect(await remove(true, 2)).toEqual({ removed: [], lines: [] });
  });

  it("may have been removed by another replica", async () => {
    expect((await remove(refused("404", 10014))).lines).toEqual([]);
  });

  it("is left to a provisioner by who may not remove it", async () => {
    await expect(remove(refused(DENIED))).rejects.toThrow(/reader stands at 8 .* ends at 2.* provisioner/);
  });

  it("is removed by a later retry where the broker is in trouble", async () => {
    const trouble = refused("503");
    await expect(remove(trouble)).rejects.toBe(trouble);
  });
});
