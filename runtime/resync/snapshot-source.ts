import type { ConsumerDefinition, SyncDefinition } from "../definition/consumer-definition.js";
import { messageOf } from "../text/error-message.js";
import { DIGEST_FORM, DIGEST_HEADER } from "../values/digests.js";
import { refusalText, requestSource } from "./source-request.js";

/*
 * The source of a snapshot: one GET, streamed.
 */

/** The source could not be read, or what it said is not a snapshot. Nothing is deleted on its word. */
export class SnapshotFailed extends Error {
  override readonly name = "SnapshotFailed";
}

/** Where a consumer reads what its entities' owner has; undefined where it has no source, or an optional one that is not set. */
export function sourceOf(
  { sync }: ConsumerDefinition,
  env: Readonly<Record<string, string | undefined>>,
): SyncDefinition | undefined {
  const isSet = sync !== undefined && (env[sync.urlVariable] ?? "") !== "";
  return sync?.optional === true && !isSet ? undefined : sync;
}

/** Silence for this long is a failure; a slow source may take as long as it likes. */
const SILENCE_MS = 30_000;

export interface SourceOptions {
  readonly sync: SyncDefinition;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Also asks for the highest version of all, rows that are gone included; undefined where the source does not say. */
  readonly onHighest?: (version: number | undefined) => void;
  /** Asks for digests of these members in place of rows, of an owner that can tell them; others answer with rows. */
  readonly digestsOf?: readonly string[];
}

export interface Source {
  readonly hasDigests: boolean;
  /** Read them to their end, or leave the loop: the source must not go on sending. */
  readonly bytes: AsyncGenerator<Uint8Array>;
}

/** Of a request: whether the answer is to have it. Of an answer: the number. */
export const HIGHEST_HEADER = "mesh-highest-version";

export async function* readSource(options: SourceOptions): AsyncGenerator<Uint8Array> {
  yield* (await openSource(options)).bytes;
}

/** Our own owners add `_version` and `_first_version` to each element when asked; others do not know the header and ignore it. */
export async function openSource({
  sync,
  env,
  signal,
  onHighest,
  digestsOf,
}: SourceOptions): Promise<Source> {
  const base = env[sync.urlVariable];
  if (base === undefined || base === "") throw new SnapshotFailed(`${sync.urlVariable} is not set`);
  const url = new URL(sync.path, base);
  const silence = new AbortController();
  const watched = <T>(waiting: Promise<T>) => withinSilence(waiting, silence, url);
  const response = await watched(
    requestSource(url, {
      sync,
      env,
      headers: {
        "mesh-snapshot": "versions",
        ...(onHighest === undefined ? {} : { [HIGHEST_HEADER]: "wanted" }),
        ...(digestsOf === undefined ? {} : { [DIGEST_HEADER]: `${DIGEST_FORM} ${digestsOf.join(",")}` }),
      },
      signal: AbortSignal.any([signal, silence.signal]),
    }),
  );
  const { body } = response;
  if (!response.ok || body === null) {
    const text = await watched(refusalText(response));
    throw new SnapshotFailed(`GET ${url.href} answered ${response.status}: ${text}`);
  }
  const highest = response.headers.get(HIGHEST_HEADER);
  onHighest?.(highest === null ? undefined : Number(highest));
  async function* read(from: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = from.getReader();
    try {
      for (let part = await watched(reader.read()); !part.done; part = await watched(reader.read())) {
        yield part.value;
      }
    } finally {
      // Also when the reader of this generator gave up half way.
      silence.abort();
    }
  }
  const hasDigests = digestsOf !== undefined && response.headers.get(DIGEST_HEADER) === DIGEST_FORM;
  return { hasDigests, bytes: read(body) };
}

async function withinSilence<T>(waiting: Promise<T>, silence: AbortController, url: URL): Promise<T> {
  const timer = setTimeout(() => silence.abort(new Error(`silent for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
  try {
    return await waiting;
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw new SnapshotFailed(`GET ${url.href} failed: ${messageOf(reason)}`, { cause: reason });
  } finally {
    clearTimeout(timer);
  }
}
