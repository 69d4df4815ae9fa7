import { escapeLiteral } from "pg";
import type { Statement } from "./row-statements.js";

/** A statement with its parameters in it, all of them texts: several travel together only so. A quoted name may hold `$1` too. */
export function inlined({ text, values }: Statement): string {
  return text.replaceAll(/"(?:[^"]|"")*"|\$(\d+)/g, (name, number?: string) => {
    if (number === undefined) return name;
    const value = values[Number(number) - 1];
    return value === null ? "NULL" : escapeLiteral(String(value));
  });
}
