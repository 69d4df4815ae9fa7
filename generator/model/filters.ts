/*
 * NATS filters: tokens, `*` for one token, a final `>` for one or more.
 */

/** Some subject matches both. */
export function overlap(a: string, b: string): boolean {
  const [one, other] = [a.split("."), b.split(".")];
  const length = Math.max(one.length, other.length);
  for (let index = 0; index < length; index += 1) {
    const [here, there] = [one[index], other[index]];
    if (here === undefined || there === undefined) return false;
    if (here === ">" || there === ">") return true;
    if (here !== there && here !== "*" && there !== "*") return false;
  }
  return true;
}

/** The narrowest single filter that matches whatever one of these does. */
export function coverAll([first = ">", ...rest]: readonly string[]): string {
  return rest.reduce(cover, first);
}

function cover(a: string, b: string): string {
  const [one, other] = [a.split("."), b.split(".")];
  const tokens: string[] = [];
  for (let index = 0; index < Math.max(one.length, other.length); index += 1) {
    const [here, there] = [one[index], other[index]];
    if (here === undefined || there === undefined || here === ">" || there === ">") {
      // A filter that ends here has no further token, and `>` stands for one at least: it takes the last one's place.
      if (here === undefined || there === undefined) tokens.pop();
      return [...tokens, ">"].join(".");
    }
    tokens.push(here === there ? here : "*");
  }
  return tokens.join(".");
}

/** The same subjects and perhaps more, without two filters that overlap: a stream takes no others. */
export function disjoint(filters: readonly string[]): readonly string[] {
  const result: string[] = [];
  for (let filter of filters) {
    for (let at = findOverlap(result, filter); at >= 0; at = findOverlap(result, filter)) {
      filter = cover(filter, result[at] ?? filter);
      result.splice(at, 1);
    }
    result.push(filter);
  }
  return result.sort();
}

function findOverlap(filters: readonly string[], filter: string): number {
  return filters.findIndex((other) => overlap(other, filter));
}
