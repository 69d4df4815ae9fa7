import { syncDefaults } from "../defaults.js";
import type { SyncDefinition } from "../definition/consumer-definition.js";
import { shownKey } from "../values/access-keys.js";

export interface SourceRequest {
  readonly sync: SyncDefinition;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One GET of a source, with the key that is meant for it. A redirect is an answer like another: the key goes where it is meant to go. */
export function requestSource(url: URL, { sync, env, signal, headers }: SourceRequest): Promise<Response> {
  return fetch(url, {
    headers: { ...headers, accept: "application/json", ...credentials(sync, env[sync.keyVariable]) },
    redirect: "manual",
    signal,
  });
}

/** `authorization` takes the scheme; a header of the source's own takes the bare key. */
function credentials(
  { header = syncDefaults.header }: SyncDefinition,
  value: string | undefined,
): Record<string, string> {
  if (value === undefined) return {};
  const key = shownKey(value);
  return { [header]: header.toLowerCase() === "authorization" ? `Bearer ${key}` : key };
}

/** The first bytes of an answer; whatever more there is, is not waited for. */
export async function readStart({ body }: Response, bytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the body.
  for await (const part of body ?? []) {
    parts.push(part);
    length += part.length;
    if (length >= bytes) break;
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

/** What a refusal says of itself, for a message. */
export async function refusalText(response: Response): Promise<string> {
  if (response.status >= 300 && response.status < 400) return "a redirect, which is not followed";
  return (await readStart(response, 800)).toString("utf8").slice(0, 200);
}
