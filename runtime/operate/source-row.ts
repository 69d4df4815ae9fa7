import type { SyncDefinition } from "../definition/consumer-definition.js";
import { createSplitter } from "../resync/json-array.js";
import { SnapshotFailed } from "../resync/snapshot-source.js";
import { readStart, refusalText, requestSource } from "../resync/source-request.js";
import { messageOf } from "../text/error-message.js";
import { pathSegment } from "../values/entity-id.js";

export interface SourceRowOptions {
  readonly sync: SyncDefinition;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal | undefined;
  /** Members whose texts are kept, see `writtenText`. */
  readonly members: ReadonlySet<string>;
}

const ANSWER_MS = 10_000;
/** More than the longest element of a list. */
const MOST_BYTES = 17 * 1024 * 1024;

/** One element as its owner has it now, perhaps `Unreadable`; undefined where it has none, or serves lists only. */
export async function readSourceRow(
  { sync, env, signal, members }: SourceRowOptions,
  key: string,
): Promise<unknown> {
  const url = new URL(`${sync.path}/${pathSegment(key)}`, env[sync.urlVariable]);
  const timeout = AbortSignal.timeout(ANSWER_MS);
  const response = await requestSource(url, {
    sync,
    env,
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  }).catch((error: Error) => {
    throw new SnapshotFailed(`GET ${url.href} failed: ${messageOf(error.cause ?? error)}`, { cause: error });
  });
  if (response.status === 404 || response.status === 405) {
    await response.body?.cancel();
    return undefined;
  }
  if (!response.ok)
    throw new SnapshotFailed(`GET ${url.href} answered ${response.status}: ${await refusalText(response)}`);
  const body = await readStart(response, MOST_BYTES);
  const splitter = createSplitter(members);
  const parts = [Buffer.from("["), body, Buffer.from("]")];
  const elements = parts.flatMap((part) => splitter.push(part));
  splitter.end();
  return elements[0];
}
