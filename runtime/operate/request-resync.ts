import type { ResyncResult } from "../http/operate-routes.js";
import { refusalText } from "../resync/source-request.js";

/** Which running service to ask, and for what. */
export interface ResyncOptions {
  /** URL of the running service. */
  readonly url: string;
  readonly operatorKey: string;
  /** Default: every consumer that has a source. */
  readonly durable?: string;
  /** The source's state replaces later versions of the cache. Default false. */
  readonly trustSource?: boolean;
  readonly signal?: AbortSignal;
}

/** Asks a running service to take snapshots of its sources. Resolves when all are done; each succeeds or fails by itself. */
export async function requestResync({
  url,
  operatorKey,
  durable,
  trustSource,
  signal,
}: ResyncOptions): Promise<readonly ResyncResult[]> {
  const target = new URL("/operate/resync", url);
  if (durable !== undefined) target.searchParams.set("durable", durable);
  if (trustSource === true) target.searchParams.set("trust", "source");
  const response = await fetch(target, {
    method: "POST",
    headers: { authorization: `Bearer ${operatorKey}` },
    redirect: "manual",
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok)
    throw new Error(`POST ${target.href} answered ${response.status}: ${await refusalText(response)}`);
  const { consumers } = (await response.json()) as { readonly consumers: readonly ResyncResult[] };
  return consumers;
}
