import { describe, expect, it } from "vitest";
import {
  chooseStep,
  countCrowded,
  NO_CROWD,
  nextStepAt,
  POLL_MS,
  pollAfterMs,
  type ReaderState,
  SUPPRESSED_POLL_MS,
  SUPPRESSION_LASTS_MS,
  showsManyWriters,
} from "../../../runtime/outbox/reader-step.js";

const NOW = 100_000;

/** Nothing is due before a while. */
const idle: ReaderState = {
  suppressed: false,
  busyAt: Number.NEGATIVE_INFINITY,
  backlogAt: NOW + 1_000,
  pollAt: NOW + 300,
  rescanning: false,
  hasRoom: true,
  expectsRows: false,
};

const stepOf = (state: Partial<ReaderState>) => chooseStep({ ...idle, ...state }, NOW);

describe("what the outbox reader does next", () => {
  it("is nothing while no notification came and no poll is due", () => {
    expect(stepOf({})).toBe("wait");
  });

  it("is a read after a notification, and at each poll", () => {
    expect(stepOf({ expectsRows: true })).toBe("read");
    expect(stepOf({ pollAt: NOW })).toBe("read");
  });

  it("is no read beyond a backlog of rows in memory", () => {
    expect(stepOf({ expectsRows: true, hasRoom: false })).toBe("wait");
    expect(stepOf({ rescanning: true, hasRoom: false })).toBe("wait");
  });

  it("is the full rescan before anything newer, so that nothing is published out of order", () => {
    expect(stepOf({ rescanning: true, expectsRows: true, pollAt: NOW })).toBe("rescan");
  });

  it("is to measure the backlog when its time has come, however busy the outbox is", () => {
    expect(stepOf({ backlogAt: NOW, rescanning: true, expectsRows: true })).toBe("measure-backlog");
  });

  it("takes many rows for many writers, and rows beside many transactions", () => {
    const open = { crowd: NO_CROWD, suppressed: false };
    expect(showsManyWriters({ rows: 100, running: 0 }, open)).toBe(true);
    expect(showsManyWriters({ rows: 1, running: 16 }, open)).toBe(true);
    expect(showsManyWriters({ rows: 99, running: 15 }, open)).toBe(false);
    // Of other databases of the server, or of tables without events.
    expect(showsManyWriters({ rows: 0, running: 64 }, open)).toBe(false);
  });

  it("takes rows beside several transactions for many writers where that goes on", () => {
    const page = { rows: 1, running: 4 };
    const crowdOf = (pages: number, everyMs: number) => {
      let crowd = NO_CROWD;
      for (let at = 0; at < pages; at += 1) crowd = countCrowded(crowd, page, NOW + at * everyMs);
      return crowd;
    };
    const shows = (crowd = NO_CROWD, suppressed = false) => showsManyWriters(page, { crowd, suppressed });
    expect(shows(crowdOf(16, 6))).toBe(true);
    expect(shows(crowdOf(15, 6))).toBe(false);
    // Few come, and nobody waits for another.
    expect(shows(crowdOf(1_000, 7))).toBe(false);
    const alone = countCrowded(crowdOf(15, 6), { rows: 1, running: 3 }, NOW + 96);
    expect(shows(countCrowded(alone, page, NOW + 97))).toBe(false);
    const empty = countCrowded(crowdOf(15, 6), { rows: 0, running: 0 }, NOW + 90);
    expect(shows(countCrowded(empty, page, NOW + 91))).toBe(true);
    expect(shows(NO_CROWD, true)).toBe(true);
    expect(showsManyWriters({ rows: 1, running: 3 }, { crowd: NO_CROWD, suppressed: true })).toBe(false);
  });

  it("is to switch notify suppression on after a large page, and off a second after the last one", () => {
    expect(stepOf({ busyAt: NOW })).toBe("switch-notify-suppression");
    expect(stepOf({ busyAt: NOW, suppressed: true })).toBe("wait");
    const ended = NOW - SUPPRESSION_LASTS_MS;
    expect(stepOf({ busyAt: ended, suppressed: true })).toBe("switch-notify-suppression");
    expect(stepOf({ busyAt: ended })).toBe("wait");
  });
});

describe("the next poll of the outbox", () => {
  it("is soon while writers may have been told not to notify", () => {
    expect(pollAfterMs({ busyAt: NOW }, NOW)).toBe(SUPPRESSED_POLL_MS);
    expect(pollAfterMs({ busyAt: NOW - 1.5 * SUPPRESSION_LASTS_MS }, NOW)).toBe(SUPPRESSED_POLL_MS);
    expect(pollAfterMs({ busyAt: NOW - 2 * SUPPRESSION_LASTS_MS }, NOW)).toBe(POLL_MS);
    expect(pollAfterMs(idle, NOW)).toBe(POLL_MS);
  });

  it("is waited for unless something else is due before", () => {
    expect(nextStepAt(idle)).toBe(NOW + 300);
    expect(nextStepAt({ ...idle, hasRoom: false })).toBe(NOW + 1_000);
    expect(nextStepAt({ ...idle, suppressed: true, busyAt: NOW - 900 })).toBe(NOW + 100);
  });
});
