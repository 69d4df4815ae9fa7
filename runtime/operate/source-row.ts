import { createSplitter } from "../consume/json-array.js";
import type { SyncDefinition } from "../definition.js";

export interface SourceRowOptions {
  readonly sync: SyncDefinition;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal | undefined;
  /** Whose texts are kept, see `writtenText`. */
  readonly members: ReadonlySet<string>;
}

const ANSWER_MS = 10_000;

/** One element as its owner has it now, `Unreadable` perhaps; undefined when it has none, or answers for lists alone. */
export async function readSourceRow(
  { sync, env, signal, members }: SourceRowOptions,
  key: string,
): Promise<unknown> {
  const url = new URL(`${sync.path}/${encodeURIComponent(key)}`, env[sync.urlVariable]);
  const timeout = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(url, {
    headers: { accept: "application/json", [sync.header]: credentials(sync.header, env.SERVICE_KEY ?? "") },
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  });
  const body = Buffer.from(await response.arrayBuffer());
  if (response.status === 404 || response.status === 405) return undefined;
  if (!response.ok)
    throw new Error(`GET ${url.href} answered ${response.status}: ${body.toString("utf8", 0, 200)}`);
  const splitter = createSplitter(members);
  const parts = [Buffer.from("["), body, Buffer.from("]")];
  const elements = parts.flatMap((part) => splitter.push(part));
  splitter.end();
  return elements[0];
}

/** `authorization` takes the scheme; a header of the source's own takes the bare key. */
function credentials(header: string, key: string): string {
  return header.toLowerCase() === "authorization" ? `Bearer ${key}` : key;
}
