import type { CallVerb } from "../definition/service-definition.js";
import type { Principal } from "./authenticate.js";
import { Problem } from "./problem.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The grant that a service needs for the route; without one only operators may use it. */
    readonly access?: RouteAccess;
  }
}

/** `any key`: every key that the service knows. `metrics`: the METRICS_KEY. Operators may use every route. */
export type RouteAccess = Access | "any key" | "metrics";

export interface Access {
  readonly path: string;
  /** Undefined: any verb that is granted at the path will do. */
  readonly verb?: CallVerb;
}

/** Throws a problem 403 unless mesh.yaml grants the access to the principal. */
export function authorize(principal: Principal, access: RouteAccess | undefined, service: string): void {
  switch (principal.kind) {
    case "operator":
      return;
    case "metrics":
      if (access === "metrics") return;
      throw new Problem("forbidden", "The METRICS_KEY opens /metrics, and nothing else.");
    case "service":
      if (access === "any key") return;
      if (access === undefined || access === "metrics")
        throw new Problem(
          "forbidden",
          `"${principal.name}" may not come here: it takes the OPERATOR_KEY${access === undefined ? "" : ", or the METRICS_KEY"}.`,
        );
      if (isGranted(principal, access)) return;
      throw new Problem("forbidden", refusal(principal, access, service));
    default:
      throw new Error(`unknown principal ${JSON.stringify(principal satisfies never)}`);
  }
}

type Caller = Extract<Principal, { kind: "service" }>;

function isGranted({ grants }: Caller, { path, verb }: Access): boolean {
  return grants.some((grant) => grant.path === path && (verb === undefined || grant.verbs.includes(verb)));
}

function refusal({ name, grants }: Caller, { path, verb }: Access, service: string): string {
  const granted = grants.map((grant) => `${grant.verbs.join(", ")} ${grant.path}`).join("; ");
  const wanted = `calls: { ${service}: { ${path}: [${verb ?? "get"}] } }`;
  return `"${name}" may ${granted}, and nothing else here. In mesh.yaml, "${wanted}" under "${name}" grants it.`;
}
