import { describe, expect, it } from "vitest";
import {
  chooseStep,
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
    expect(showsManyWriters({ rows: 100, running: 0 })).toBe(true);
    expect(showsManyWriters({ rows: 1, running: 16 })).toBe(true);
    expect(showsManyWriters({ rows: 99, running: 15 })).toBe(false);
    // Of other databases of the server, or of tables without events.
    expect(showsManyWriters({ rows: 0, running: 64 })).toBe(false);
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
