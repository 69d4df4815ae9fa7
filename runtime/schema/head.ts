/*
 * What a migration says of itself in the comment with which it begins.
 */

/** Names of what the file follows; undefined when it does not say. */
export function readFollows(text: string): readonly string[] | undefined {
  const said = headOf(text)
    .find((line) => line.startsWith("-- follows: "))
    ?.slice("-- follows: ".length);
  if (said === undefined) return undefined;
  return said.trim() === "nothing" ? [] : said.split(",").map((name) => name.trim());
}

/** Of SQL of the service's own: the generated migration that it is to be ahead of; undefined when it does not say. */
export function readBefore(text: string): string | undefined {
  return headOf(text)
    .find((line) => line.startsWith("-- before: "))
    ?.slice("-- before: ".length)
    .trim();
}

const ADDITIVE = "-- older releases: run on";
const BREAKING = "-- older releases: stop, since ";

/** Why releases that lack the file cannot run any longer; empty when they can, undefined when it does not say. */
export function readBreaks(text: string): string | undefined {
  const said = headOf(text).find((line) => line === ADDITIVE || line.startsWith(BREAKING));
  if (said === undefined) return undefined;
  return said === ADDITIVE ? "" : said.slice(BREAKING.length);
}

/** The comment with which the file begins. */
function headOf(text: string): readonly string[] {
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("--"));
  return end === -1 ? lines : lines.slice(0, end);
}
