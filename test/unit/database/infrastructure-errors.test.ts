import { DatabaseError } from "pg";
import { describe, expect, test } from "vitest";
import { HandlerFailed, isInfrastructureFailure } from "../../../runtime/database/error-classes.js";

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
