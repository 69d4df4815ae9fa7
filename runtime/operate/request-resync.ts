import type { ResyncResult } from "../http/operate-routes.js";
import { refusalText } from "../resync/source-request.js";

export interface ResyncOptions {
  /** Of the running service. */
  readonly url: string;
  readonly operatorKey: string;
  /** One consumer; else every one that has a source. */
  readonly durable?: string;
  /** Takes the source's word where later versions are known here. */
  readonly trustSource?: boolean;
  readonly signal?: AbortSignal;
}

/** Makes a running service read its sources again. Resolves when it is done; each consumer succeeds or fails by itself. */
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
