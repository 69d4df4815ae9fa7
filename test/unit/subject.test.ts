import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeToken,
  encodeToken,
  isPublishable,
  matcher,
  matches,
  parseSubject,
  subjectOf,
  withoutAction,
} from "../../runtime/subject.js";
import { anyId } from "../support/ids.js";

const token = fc.string({ unit: fc.constantFrom(..."abc-_%!$^()[]{}|?+/\\"), minLength: 1, maxLength: 4 });

describe("a token", () => {
  it.each([
    ["V1StGXR8_Z5jdHi6B-myT", "V1StGXR8_Z5jdHi6B-myT"],
    ["a.b", "a%2Eb"],
    ["50%", "50%25"],
    ["*", "%2A"],
    [">", "%3E"],
    ["a b\r\nPUB x 0", "a%20b%0D%0APUB%20x%200"],
    ["é", "%C3%A9"],
    ["𝄞", "%F0%9D%84%9E"],
    ["\u007f", "%7F"],
  ])("of %j is %s", (id, expected) => {
    expect(encodeToken(id)).toBe(expected);
  });

  it("decodes to the id it came from, and is safe in a subject", () => {
    fc.assert(
      fc.property(anyId, (id) => {
        const encoded = encodeToken(id);
        expect(decodeToken(encoded)).toBe(id);
        expect(encoded).toMatch(/^[!-~]+$/);
        expect(encoded).not.toMatch(/[.*>]/);
      }),
    );
  });

  it("that was not encoded is taken as the id", () => {
    for (const raw of ["50%", "%zz", "%", "%C3", "%ff%fe", "é%"]) expect(decodeToken(raw)).toBe(raw);
  });

  it("is refused for an empty id, and for one that no protocol line holds", () => {
    expect(() => encodeToken("")).toThrow(RangeError);
    expect(encodeToken("x".repeat(2_048))).toHaveLength(2_048);
    expect(() => encodeToken("x".repeat(2_049))).toThrow(/2049 bytes/);
    expect(() => encodeToken("é".repeat(400))).toThrow(/800 bytes/);
  });
});

describe("a subject", () => {
  it("is built and taken apart", () => {
    const parts = { service: "auth", entity: "user", id: "a.b c", action: "created" };
    expect(subjectOf(parts)).toBe("auth.user.a%2Eb%20c.created");
    expect(parseSubject(subjectOf(parts))).toEqual(parts);
    expect(withoutAction(subjectOf(parts))).toBe("auth.user.a%2Eb%20c");
  });

  it.each(["", "auth", "auth.user.1", "auth.user..created", "auth.user.1.created.x", ".user.1.created"])(
    "that is %j is none of the mesh's",
    (subject) => {
      expect(parseSubject(subject)).toBeUndefined();
    },
  );

  it.each([
    ["auth.user.*.*", "auth.user.1.created", true],
    ["auth.user.*", "auth.user.1.created", false],
    ["auth.*.*.*", "auth.user.1.created", true],
    ["auth.user.*.deleted", "auth.user.1.created", false],
    ["auth.>", "auth.user.1.created", true],
    ["auth.>", "auth", false],
    [">", "auth", true],
    ["auth.user.*.created", "auth.user.1.created.more", false],
    ["a*.b", "ab.b", false],
  ])("%s covers %s: %s", (filter, subject, expected) => {
    expect(matches(filter, subject)).toBe(expected);
    expect(matcher([filter])(subject)).toBe(expected);
  });

  it("is matched by several filters as by each of them", () => {
    const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
    const filterToken = fc.oneof(token, fc.constant("*"));
    const filter = fc
      .tuple(fc.array(filterToken, { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([tokens, rest]) => [...tokens, ...(rest ? [">"] : [])].join("."));
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 3 }), subject, (filters, given) => {
        expect(matcher(filters)(given)).toBe(filters.some((one) => matches(one, given)));
      }),
    );
  });

  it("can be published only if it is one message's", () => {
    fc.assert(fc.property(anyId, (id) => isPublishable(`auth.user.${encodeToken(id)}.created`)));
    for (const bad of ["", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "a\r\nb", "a\tb", "é", "a\u007f"]) {
      expect(isPublishable(bad)).toBe(false);
    }
  });
});
