const LARGEST = "9223372036854775807";

/**
 * Whole numbers of 64 bits as decimal strings, each in its one spelling: what protobuf's JSON mapping prints. A pattern
 * alone, so that every reader of a schema keeps the exact range.
 */
export const INT64 = `^(0|-?([1-9][0-9]{0,17}|${upToLargest()})|-9223372036854775808)$`;

/** Numbers of as many digits as the largest: equal to it up to some digit, which is smaller, then any. */
function upToLargest(): string {
  const smaller = [...LARGEST].flatMap((digit, at) => {
    const lowest = at === 0 ? 1 : 0;
    const below = Number(digit) - 1;
    if (below < lowest) return [];
    const rest = LARGEST.length - at - 1;
    const range = below === lowest ? String(lowest) : `[${lowest}-${below}]`;
    return [`${LARGEST.slice(0, at)}${range}${rest === 0 ? "" : `[0-9]{${rest}}`}`];
  });
  return [...smaller, LARGEST].join("|");
}

/** Whether the text is one of them. */
export function isInt64(text: string): boolean {
  return new RegExp(INT64).test(text);
}
