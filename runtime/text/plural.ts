/** `1 row`, `2 rows`; the plural where it is not one with an s: `plural(2, "entity", "entities")`. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`;
}
