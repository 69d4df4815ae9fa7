import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { messageOf, reasonOf } from "../../runtime/text/error-message.js";

const coded = (message: string, code: string) => Object.assign(new Error(message), { code });

describe("what an error says", () => {
  it("names every cause, outermost first, each once and with its code", () => {
    const cause = coded('null value in column "name"', "23502");
    const error = new Error("Failed query: insert", { cause: new Error("driver", { cause }) });
    const text = 'Failed query: insert; caused by: driver; caused by: null value in column "name" (23502)';
    expect(messageOf(error)).toBe(text);
    expect(reasonOf(text)).toBe('null value in column "name" (23502)');
    expect(messageOf(new Error(`hook: ${cause.message} (23502)`, { cause }))).toBe(
      'hook: null value in column "name" (23502)',
    );
  });

  it("ends where a chain leads back into itself", () => {
    const one = new Error("one");
    const two = new Error("two", { cause: one });
    one.cause = two;
    expect(messageOf(one)).toBe("one; caused by: two");
    const all = new AggregateError([], "all");
    all.errors.push(all, one);
    expect(messageOf(all)).toContain("one; caused by: two");
    const self = new Error("self");
    self.cause = self;
    expect(messageOf(self)).toBe("self");
  });

  it("tells the errors of an AggregateError, and what each came from", () => {
    const refused = coded("connect refused", "ECONNREFUSED");
    const errors = [refused, new Error("other", { cause: "a text" })];
    expect(messageOf(new AggregateError(errors))).toBe(
      "connect refused (ECONNREFUSED); other; caused by: a text",
    );
    expect(messageOf(new AggregateError(errors, "all failed"))).toMatch(/^all failed: connect refused/);
    expect(messageOf(new Error("outer", { cause: new AggregateError([refused]) }))).toBe(
      "outer; caused by: connect refused (ECONNREFUSED)",
    );
  });

  it("describes any thrown value", () => {
    expect(messageOf("text")).toBe("text");
    expect(messageOf(undefined)).toBe("undefined");
    expect(messageOf(null)).toBe("null");
    expect(messageOf({ status: 409, body: { reason: "taken" } })).toBe(
      "{ status: 409, body: { reason: 'taken' } }",
    );
    expect(messageOf({ message: "not an Error", cause: { message: "why" } })).toBe(
      "not an Error; caused by: why",
    );
    expect(messageOf(runInNewContext("new Error('elsewhere')"))).toBe("elsewhere");
    expect(messageOf(Symbol("s"))).toBe("Symbol(s)");
    expect(messageOf(new TypeError())).toBe("TypeError");
    expect(messageOf(Object.create(null))).toBe("[Object: null prototype] {}");
  });

  it("is a text that PostgreSQL stores, and no longer than a person reads", () => {
    const text = messageOf(new Error(`\0${"x".repeat(1_000_000)}`, { cause: new Error("why") }));
    expect(text).not.toContain("\0");
    expect(text.length).toBeLessThan(3_000);
    expect(reasonOf(text)).toBe("why");
  });
});
