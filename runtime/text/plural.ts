/** `1 row`, `2 rows`. `many` is the plural, where that is not the noun with an s: `plural(2, "entity", "entities")`. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`;
}
