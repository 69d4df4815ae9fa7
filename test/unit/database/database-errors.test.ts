import { DatabaseError } from "pg";
import { describe, expect, test } from "vitest";
import {
  classify,
  type ErrorClass,
  HandlerFailed,
  isInfrastructureFailure,
  isRowRefused,
  isUnavailable,
  isUnstorable,
} from "../../../runtime/database/database-errors.js";
import { ConnectionLost } from "../../../runtime/database/transaction.js";

/** As another copy of the driver, or another driver, throws it. */
function foreignError(code: string, more: object = { severity: "FATAL" }): Error {
  return Object.assign(new Error("the database spoke"), { code }, more);
}

function ownError(code: string): Error {
  return Object.assign(new DatabaseError("the database spoke", 1, "error"), { code });
}

describe("a hook that met a database that is going down", () => {
  test.each([
    ["57P01", true],
    ["40001", true],
    ["23505", false],
    ["42P01", false],
  ])("%s, whichever driver tells it", (code, waits) => {
    for (const cause of [
      ownError(code),
      foreignError(code),
      new Error("Failed query", { cause: foreignError(code) }),
    ])
      expect(isInfrastructureFailure(new HandlerFailed(1, cause))).toBe(waits);
  });

  test("what merely has a code of five characters is not taken for a database", () => {
    expect(isInfrastructureFailure(new HandlerFailed(1, foreignError("57P01", {})))).toBe(false);
    expect(isInfrastructureFailure(new HandlerFailed(1, foreignError("ECONNREFUSED")))).toBe(false);
  });
});

describe("classes of errors", () => {
  test.each<[string, ErrorClass]>([
    ["08006", "unavailable"],
    ["53300", "unavailable"],
    ["57P01", "unavailable"],
    ["57P03", "unavailable"],
    ["28P01", "unavailable"],
    ["3D000", "unavailable"],
    ["25006", "unavailable"],
    ["40001", "contended"],
    ["40P01", "contended"],
    ["55P03", "contended"],
    ["57014", "cancelled"],
    ["42P01", "deployment"],
    ["42501", "deployment"],
    ["3F000", "deployment"],
    ["55000", "deployment"],
    ["22003", "unstorable"],
    ["54000", "unstorable"],
    ["23505", "refused"],
    ["23503", "refused"],
    ["21000", "refused"],
    ["44000", "refused"],
    ["P0001", "refused"],
    ["25P02", "refused"],
    ["25P03", "unknown"],
    ["XX000", "unknown"],
  ])("SQLSTATE %s is %s", (code, expected) => {
    expect(classify(ownError(code))).toBe(expected);
  });

  test.each<[string, unknown, ErrorClass]>([
    ["a lost connection", new ConnectionLost("lost"), "unavailable"],
    ["the driver's words for one", new Error("Connection terminated unexpectedly"), "unavailable"],
    ["a refused connection", Object.assign(new Error("connect"), { code: "ECONNREFUSED" }), "unreachable"],
    [
      "a refused connection on each address",
      new AggregateError([Object.assign(new Error("connect"), { code: "ECONNREFUSED" })]),
      "unreachable",
    ],
    ["a time-out while connecting", new Error("timeout expired"), "unreachable"],
    ["any other error", new TypeError("not a function"), "unknown"],
    ["what is no error", "57P01", "unknown"],
  ])("%s", (_, error, expected) => {
    expect(classify(error)).toBe(expected);
  });
});

describe("what each class means", () => {
  const codes = ["57P01", "40P01", "57014", "42P01", "22003", "23505", "XX000"];
  const meanings = (means: (error: unknown) => boolean) => codes.filter((code) => means(ownError(code)));

  test("a consumer waits out infrastructure and an unfinished deployment, without counting an attempt", () => {
    expect(meanings(isInfrastructureFailure)).toEqual(["57P01", "40P01", "42P01"]);
  });

  test("of a hook's own statements only the database's trouble is waited out", () => {
    expect(meanings((error) => isInfrastructureFailure(new HandlerFailed(1, error)))).toEqual([
      "57P01",
      "40P01",
    ]);
  });

  test("a request is told to retry", () => {
    expect(meanings(isUnavailable)).toEqual(["57P01", "40P01", "57014"]);
  });

  test("an event is a dead letter at once", () => {
    expect(meanings(isUnstorable)).toEqual(["22003"]);
  });

  test("one row of several is to blame", () => {
    expect(meanings(isRowRefused)).toEqual(["22003", "23505"]);
  });
});
