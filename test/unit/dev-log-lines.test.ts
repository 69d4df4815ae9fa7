import { expect, test } from "vitest";
import { createLogFormat, type Verbosity } from "../../generator/dev/log-lines.js";
import { terminalText } from "../../generator/terminal/paint.js";

/* What `mesh dev` prints of the lines that services log. */

const base = {
  level: "info",
  service: "sfs",
  time: "2026-01-02T03:04:05.678Z",
  part: "consumer",
  durable: "d",
};

function shown(entry: object, verbosity?: Verbosity): string | undefined {
  const line = createLogFormat(["auth", "sfs"], verbosity)("sfs", JSON.stringify({ ...base, ...entry }));
  return line === undefined ? undefined : terminalText(line, false).replace(/\d\d:\d\d:\d\d/, "00:00:00");
}

const event = { subject: "auth.user.42.created", seq: 7 };
const retried = {
  ...event,
  level: "warn",
  attempts: 1,
  delayMs: 1_000,
  msg: "an event failed and is retried after its back-off",
};

test("an event has one line: published, applied, retried, dead", () => {
  expect(shown({ ...event, msg: "published" })).toBe("sfs   00:00:00 published auth.user.42.created #7");
  expect(shown({ ...event, ms: 12, msg: "applied" })).toBe(
    "sfs   00:00:00 applied   auth.user.42.created after 12 ms",
  );
  expect(shown({ ...retried, error: "hook: boom\n    at somewhere" })).toBe(
    "sfs   00:00:00 retried   auth.user.42.created attempt 1, again in 1 s: hook: boom",
  );
  const dead = {
    ...event,
    level: "error",
    attempts: 5,
    error: "hook: boom",
    msg: "a message became a dead letter",
  };
  expect(shown(dead)).toBe("sfs   00:00:00 dead      auth.user.42.created after 5 attempts: hook: boom");
});

test("a request has one line with a short id, and a failure one without its stack", () => {
  const request = "0f5c2d7e-1111-4222-8333-944455556666";
  const fields = {
    request,
    method: "POST",
    path: "/api/users",
    status: 201,
    by: "operator",
    ms: 4,
    msg: "request",
  };
  expect(shown(fields)).toBe("sfs   00:00:00 POST /api/users 201 4 ms  by operator  0f5c2d7e");
  const error = { message: "connect ECONNREFUSED", stack: "Error: connect\n    at a\n    at b" };
  expect(shown({ level: "error", error, msg: "request failed", status: 500 })).toBe(
    'sfs   00:00:00 error request failed error="connect ECONNREFUSED" status=500',
  );
});

test("quiet shows warnings and errors alone, verbose all fields; what is no JSON passes", () => {
  expect(shown({ ...event, msg: "published" }, "quiet")).toBeUndefined();
  expect(shown({ ...retried, error: "x" }, "quiet")).toContain("retried");
  expect(shown({ ...event, msg: "published" }, "verbose")).toBe(
    "sfs   00:00:00 info  published part=consumer durable=d subject=auth.user.42.created seq=7",
  );
  expect(createLogFormat(["sfs"])("sfs", "plain text")).toContain("plain text");
});
