import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSchema } from "../../generator/emit/json-schema/body.js";
import { type Engine, engineFor } from "../../generator/rules/engine.js";
import { linearPattern } from "../../runtime/values/linear-pattern.js";
import { isPattern, matchesByStandard, randomPattern } from "../support/random-patterns.js";

/*
 * Whichever engine runs a pattern, it matches what the ECMAScript standard says that the pattern matches; and none lets a text keep
 * it busy for longer than the text is long.
 */

function run(pattern: string, engine: Engine): { test(text: string): boolean } {
  switch (engine.kind) {
    case "javascript":
      return new RegExp(pattern, "u");
    case "automata":
      return linearPattern(engine.all, engine.none);
    case "none":
      throw new Error(`${pattern} is refused: it ${engine.reason}`);
  }
}

const CHARACTERS = [..."aAbzZ09_ -.^$|?*+()[]{}\\/é ßΩ\n\r\t\u0085\u2028\ufeff٣😀𝒜\0", "\ud83d", "\ude00"];
const character = fc.constantFrom(...CHARACTERS);
const text = fc.array(character, { maxLength: 8 }).map((each) => each.join(""));
const texts = fc.array(text, { minLength: 30, maxLength: 30 });
const shorthand = fc.constantFrom(
  "\\d",
  "\\D",
  "\\w",
  "\\W",
  "\\s",
  "\\S",
  "\\p{L}",
  "\\P{L}",
  "\\p{Lu}",
  "\\p{Script=Greek}",
  "\\p{Any}",
  "\\P{Any}",
);
const pattern = randomPattern({
  character,
  shorthand,
  atoms: fc.constantFrom(".", "\\n", "\\u{1f600}", "\\x41", "a", "b", "[ab]"),
  assertions: (inner) => [
    { weight: 1, arbitrary: fc.constantFrom("^", "$", "\\b", "\\B") },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom("(?=", "(?!", "(?<=", "(?<!"), inner)
        .map(([open, condition]) => `${open}${condition})`),
    },
  ],
});
const conditioned = fc
  .tuple(fc.array(fc.tuple(fc.constantFrom("(?=", "(?!"), pattern), { maxLength: 2 }), pattern)
  .map(
    ([conditions, rest]) => `^${conditions.map(([open, inner]) => `${open}${inner})`).join("")}(?:${rest})$`,
  );

test("whatever runs a pattern says what the standard says, where V8 does not, too", () => {
  for (const [source, text, matches] of [
    [".*\\B", "a😀b", false],
    ["\\B", "a😀b", false],
    ["[^a]$", "😀", true],
  ] as const) {
    expect(matchesByStandard(source, text)).toBe(matches);
    expect(linearPattern([source], []).test(text)).toBe(matches);
  }
});

test("random patterns match the same, whatever runs them", () => {
  const ran = { javascript: 0, automata: 0, none: 0 };
  fc.assert(
    fc.property(fc.oneof(pattern, conditioned).filter(isPattern), texts, (source, given) => {
      const engine = engineFor(source);
      ran[engine.kind] += 1;
      if (engine.kind !== "automata") return;
      const here = run(source, engine);
      for (const one of given)
        expect([source, one, here.test(one)]).toEqual([source, one, matchesByStandard(source, one)]);
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 2_000) },
  );
  expect(ran.automata).toBeGreaterThan(200);
  expect(ran.javascript).toBeGreaterThan(200);
}, 120_000);

/** Patterns with exponential or polynomial backtracking. */
const HOSTILE = [
  "^([a-z0-9_]+)*$",
  "^(a+)+$",
  "^(a|aa)+$",
  "^(a|a)*$",
  "^(.*a){20}$",
  "(x+x+)+y",
  "^\\s+|\\s+$",
  "a*a*a*a*b",
  "^(?:[a-z]+ ?)*$",
  "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
  "^(?=(?:.*a.*)*b)(?!(?:x*)*y).*$",
  "\\d+\\d+x",
  "[a-z]+x",
  "^(\\w+\\s?)*$",
  "^(?:a?){100}a{100}$",
  "(?:a{0,30}){0,30}b",
  "^(?:\\p{L}+|\\w+)*!$",
];
const PUMPED = [
  (n: number) => `${"a".repeat(n)}!`,
  (n: number) => `${"x".repeat(n)}`,
  (n: number) => `${" ".repeat(n)}x`,
  (n: number) => "0".repeat(n),
  (n: number) => `${"a ".repeat(n / 2)}!`,
];

describe("a text keeps a pattern busy for no longer than it is long", () => {
  test.each(HOSTILE)("%s", (source) => {
    const engine = engineFor(source);
    const compiled = run(source, engine);
    for (const pump of PUMPED) {
      // Small ones agree with JavaScript; where that would not end, a large one ends within a bound far above linear.
      expect(compiled.test(pump(4))).toBe(new RegExp(source, "u").test(pump(4)));
      const before = performance.now();
      compiled.test(pump(200_000));
      expect(performance.now() - before).toBeLessThan(5_000);
    }
  });

  /** Random patterns on pumped texts: whichever engine was chosen, each ends. */
  test("any pattern", () => {
    fc.assert(
      fc.property(
        fc.oneof(pattern, conditioned).filter(isPattern),
        fc.array(fc.constantFrom("a", "b", "ab", "aA", "0", " ", "_"), { minLength: 1, maxLength: 3 }),
        fc.constantFrom("", "!", "\n", "b"),
        (source, unit, end) => {
          const engine = engineFor(source);
          if (engine.kind === "none") return;
          const one = `${unit.join("").repeat(10_000)}${end}`;
          const before = performance.now();
          run(source, engine).test(one);
          expect(performance.now() - before, `${source} over ${unit.join("")}`).toBeLessThan(3_000);
        },
      ),
      { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) },
    );
  }, 120_000);
});

describe("the choice", () => {
  test.each([
    "^[a-z0-9_]{3,30}$",
    "^\\p{L}+$",
    "^(.)\\1$",
    "^(?:[a-z]+,)*$",
    "^item-[a-z0-9]{4}$",
    "(?<!a)b",
    "^[^\\u0000]*$",
  ])("%s stays with JavaScript, which has nothing to try there", (source) => {
    expect(engineFor(source)).toEqual({ kind: "javascript" });
  });

  test.each([
    ["^(.+)\\1$", "refers back"],
    ["(?<=a+)b", "looks ahead or behind"],
    ["^a+(?=b+)", "looks ahead or behind"],
    ["(a*){2000}", "counts to 2000"],
    ["(?:a*b*){600}", "needs 1200 states"],
    [`${"(".repeat(300)}a${")*".repeat(300)}`, "groups within groups"],
    [`a*${"a".repeat(10_000)}`, "10002 characters"],
  ])("%s is refused", (source, reason) => {
    expect(engineFor(source)).toMatchObject({ kind: "none", reason: expect.stringContaining(reason) });
  });

  test("what we say of columns ourselves needs no other engine", () => {
    const types = ["nanoid", "text", "uuid", "bigint", "timestamp", "timestamptz"] as const;
    const columns = types.map((type) => ({ name: type, type, nullable: false, key: false, wide: true }));
    const printed = JSON.stringify(createSchema({ name: "all", key: [], columns } as never));
    const plain = JSON.stringify(
      createSchema({
        name: "all",
        key: [],
        columns: columns.map((one) => ({ ...one, wide: undefined })),
      } as never),
    );
    const patterns = [...`${printed}${plain}`.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)];
    expect(patterns.length).toBeGreaterThan(4);
    for (const [, literal = '""'] of patterns)
      expect(engineFor(JSON.parse(literal))).toEqual({ kind: "javascript" });
  });
});
