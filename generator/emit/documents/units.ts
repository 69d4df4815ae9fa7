import { grouped } from "../../quote/visible.js";

/** Seconds as people say them: `7 days`, `2 minutes`. Largest unit that leaves no remainder. */
export function duration(seconds: number): string {
  return inUnits(seconds, [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
  ]);
}

/** `1 GiB` */
export function bytes(count: number): string {
  const units = ["GiB", "MiB", "KiB"] as const;
  for (const [index, unit] of units.entries()) {
    const size = 1024 ** (units.length - index);
    if (count >= size && count % size === 0) return `${count / size} ${unit}`;
  }
  return named(count, "byte");
}

function inUnits(value: number, units: readonly (readonly [string, number])[]): string {
  const [name, size] = units.find(([, size]) => value >= size && value % size === 0) ?? ["second", 1];
  return named(value / size, name);
}

/** `1 message`, `2,000 messages` */
export function named(value: number, noun: string): string {
  return `${grouped(value)} ${noun}${value === 1 ? "" : "s"}`;
}
