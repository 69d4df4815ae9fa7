import { type HookFile, stem } from "./hook-files.js";

const IMPORT = /\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;
const EXPORT_FROM = /\bexport\b[^;"'()]*\bfrom\s*["']/;

const TYPES_ALONE = /\b(?:import|export)\s+type\b[^;"']*\bfrom\s*["'][^"']*["']/g;

/**
 * All that the hooks of a service say, with those of the folder that they import; empty where there are none. Undefined
 * where they may say more: they import what is neither generated nor in the folder, or pass on what others export.
 */
export function hookText(service: string, files: readonly HookFile[]): string | undefined {
  const byStem = new Map(files.map((file) => [stem(file), file]));
  const first = byStem.get(service);
  const read = new Set(first === undefined ? [] : [first]);
  // A set is walked over while it grows.
  for (const { text: written } of read) {
    const text = written.replace(TYPES_ALONE, "");
    if (EXPORT_FROM.test(text)) return undefined;
    for (const [, from, bare] of text.matchAll(IMPORT)) {
      const target = from ?? bare ?? "";
      if (!target.startsWith(".") || target.includes("/generated/")) continue;
      const file = target.startsWith("./") ? byStem.get(stem({ name: target.slice(2) })) : undefined;
      if (file === undefined) return undefined;
      read.add(file);
    }
  }
  return [...read].map(({ text }) => text).join("\n");
}
