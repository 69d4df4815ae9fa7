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
  switch (phase) {
    case "serving":
      return undefined;
    case "refused to start":
      return "The service refused to start.";
    case "waiting for the database":
    case "applying migrations":
    case "running the start hook":
    case "stopping":
      return `The service is ${phase}.`;
    default:
      return phase satisfies never;
  }
}
