/** The phase of a service's start or stop. It serves requests in `serving` only, and answers `/healthz` and `/readyz` always. */
export type Phase =
  | "waiting for the database"
  | "applying migrations"
  | "running the start hook"
  | "serving"
  | "refused to start"
  | "stopping";

export interface ServiceState {
  phase: Phase;
  /** The last error on the way to `serving`. */
  trouble?: string;
}

/** Why requests are turned away; undefined while they are served. */
export function closedReason({ phase }: ServiceState): string | undefined {
  if (phase === "serving") return undefined;
  return phase === "refused to start" ? "The service refused to start." : `The service is ${phase}.`;
}
