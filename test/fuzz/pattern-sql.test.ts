import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { translatePattern } from "../../generator/rules/translate-pattern.js";
import { isPattern, matchesByStandard, randomPattern } from "../support/random-patterns.js";

/*
 * A translated pattern and the pattern it comes from match the same texts, on a real PostgreSQL: any that is made
 * of what is translated, over texts that are near to what it matches.
 */

let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client(inject("postgres"));
  await client.connect();
});
afterAll(() => client.end());

async function sqlMatches(pattern: string, texts: readonly string[]): Promise<boolean[]> {
  const { rows } = await client.query<{ found: boolean }>(
    "SELECT text ~ $1 AS found FROM unnest($2::text[]) WITH ORDINALITY AS given (text, place) ORDER BY place",
    [pattern, texts],
  );
  return rows.map(({ found }) => found);
}

/** What differs between languages, line ends, cases and planes, and what the syntax itself is made of. */
const CHARACTERS = [..."aAzZ09_ -.^$|?*+()[]{}\\/é ßΩÄ\n\r\t\v\f\u0085\u00a0\u2028\u2029\u3000\ufeff٣😀𝒜ſK"];
const character = fc.constantFrom(...CHARACTERS);
const texts = fc.array(
  fc.array(character, { maxLength: 6 }).map((each) => each.join("")),
  {
    minLength: 30,
    maxLength: 30,
  },
);

const shorthand = fc.constantFrom("\\d", "\\D", "\\w", "\\W", "\\s", "\\S");
const pattern = randomPattern({
  character,
  shorthand,
  atoms: fc.constantFrom(".", "\\n", "\\t", "\\u{1f600}", "\\u00e9", "\\x41", "\\cJ"),
  assertions: () => [{ weight: 3, arbitrary: fc.constantFrom("^", "$") }],
});

test("what is translated matches the same texts", async () => {
  let translated = 0;
  await fc.assert(
    fc.asyncProperty(pattern.filter(isPattern), texts, async (source, given) => {
      const sql = translatePattern(source);
      if (sql === undefined) return;
      translated += 1;
      const wanted = given.map((text) => matchesByStandard(source, text));
      expect(await sqlMatches(sql, given), `${source} as ${sql}`).toEqual(wanted);
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 1_000) },
  );
  expect(translated).toBeGreaterThan(500);
}, 120_000);

describe("patterns as people write them", () => {
  const USUAL: readonly (readonly [pattern: string, yes: readonly string[], no: readonly string[]])[] = [
    ["^[a-z0-9-]+$", ["a-1"], ["", "A", "a\n", "é"]],
    ["^\\d{4}-\\d{2}$", ["2026-01"], ["٣٣٣٣-٠١", "2026-1"]],
    ["^\\w+$", ["a_1"], ["ä", "a b"]],
    ["^.*$", ["", "any\ttext"], ["two\nlines"]],
    ["^[^\\u0000]*$", ["", "a\nb"], []],
    ["^(?:draft|published)$", ["draft"], ["drafts", "xdraft"]],
    ["^#[0-9a-fA-F]{6}$", ["#00ff7F"], ["#00ff7"]],
    ["^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", ["a@b.c"], ["a@b", "a b@c.d", "a\u3000@b.c"]],
    ["^\\S(.*\\S)?$", ["a b", "a"], [" a", "a "]],
    ["colou?r", ["my color", "colours"], ["colr"]],
    ["^[A-Z]{2,255}$", ["AB"], ["A"]],
    ["", ["", "x"], []],
    ["^\\{[a-z]\\}\\|\\\\$", ["{a}|\\"], ["a"]],
  ];

  test.each(USUAL)("%s", async (source, yes, no) => {
    const sql = translatePattern(source);
    if (sql === undefined) throw new Error(`${source} is not translated`);
    expect(await sqlMatches(sql, [...yes, ...no])).toEqual([...yes.map(() => true), ...no.map(() => false)]);
  });

  test.each([
    "(a)\\1",
    "\\bword\\b",
    "^(?=.*\\d).+$",
    "(?<!a)b",
    "\\p{L}+",
    "^a{1,256}$",
    "(?:a{100}){100}",
    "(?:^a)*",
  ])("%s is left to the validators", (source) => {
    expect(translatePattern(source)).toBeUndefined();
  });
});

/** Automata there, too, where nothing is captured: what lets JavaScript backtrack for minutes is read once. */
test.each([
  "^([a-z0-9_]+)*$",
  "^(a|aa)+$",
  "^(a|a)*$",
  "^(.*a){20}$",
  "(x+x+)+y",
  "a*a*a*a*b",
  "^(?:[a-z]+ ?)*$",
  "\\d+\\d+x",
  "^(?:a?){100}a{100}$",
  "(a|b)*a(a|b){200}c",
])("a text keeps %s busy for no longer than it is long", async (source) => {
  const sql = translatePattern(source);
  if (sql === undefined) throw new Error(`${source} is not translated`);
  await client.query("SET statement_timeout = 10000");
  for (const unit of ["a", "x", "1", "a ", "ab"])
    await sqlMatches(sql, [`${unit.repeat(100_000 / unit.length)}!`]);
});
