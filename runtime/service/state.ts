/** Where a service is in its life. Requests are served in `serving` alone; health is always answered. */
export type Phase =
  | "waiting for the database"
  | "applying migrations"
  | "running the start hook"
  | "serving"
  | "refused to start"
  | "stopping";

export interface ServiceState {
  phase: Phase;
  /** The last thing that went wrong on the way to `serving`. */
  trouble?: string;
}

/** Why requests are turned away; undefined while they are served. */
export function closedReason({ phase }: ServiceState): string | undefined {
  if (phase === "serving") return undefined;
  return phase === "refused to start" ? "The service refused to start." : `The service is ${phase}.`;
}
