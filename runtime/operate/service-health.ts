/*
 * What a running service says of itself, and that none does.
 */

export interface HealthStatus {
  /** `silent`: nothing answers, or something that is no service of ours. */
  readonly status: "ready" | "degraded" | "unready" | "silent";
  /** Why it is not ready. */
  readonly reasons: readonly string[];
  /** Consumers that settle nothing although messages wait, or that lack what they need. */
  readonly stalled: readonly { readonly durable: string; readonly reason: string }[];
}

/** Longer than the service itself gives its database to answer. */
const PATIENCE_MS = 3_000;

/** The part of `/readyz` that is read here. */
interface ReadyAnswer {
  readonly status: HealthStatus["status"];
  readonly reasons?: readonly string[];
  readonly checks?: {
    readonly consumers?: Readonly<
      Record<string, { readonly stalled?: boolean; readonly last_error?: string }>
    >;
  };
}

/** Never rejects: who does not answer is silent. */
export async function readHealth(url: string): Promise<HealthStatus> {
  const target = new URL("/readyz", url).href;
  try {
    const response = await fetch(target, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const answer = (await response.json()) as ReadyAnswer | null;
    if (!["ready", "degraded", "unready"].includes(answer?.status ?? ""))
      return silent(`GET ${target} answered ${response.status}, and not what a service says`);
    return healthOf(answer as ReadyAnswer);
  } catch (error) {
    const { message, cause } = error as Error;
    return silent(`GET ${target} failed: ${cause instanceof Error ? cause.message || message : message}`);
  }
}

function silent(reason: string): HealthStatus {
  return { status: "silent", reasons: [reason], stalled: [] };
}

function concernsAll(reason: string): boolean {
  return reason.startsWith("broker: ");
}

function healthOf({ status, reasons = [], checks }: ReadyAnswer): HealthStatus {
  const stalled = Object.entries(checks?.consumers ?? {}).filter(([, consumer]) => consumer.stalled);
  return {
    status,
    reasons,
    stalled: stalled.map(([durable, { last_error }]) => ({
      durable,
      reason: last_error ?? reasons.find(concernsAll) ?? "messages wait and none is settled",
    })),
  };
}
