import type { CallVerb } from "../definition.js";
import type { Principal } from "./authenticate.js";
import { Problem } from "./problem.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What a service must have been granted to come here; without it only operators may. */
    readonly access?: Access;
  }
}

export interface Access {
  readonly path: string;
  /** undefined: whoever may do anything at the path. */
  readonly verb?: CallVerb;
}

/** Throws 403 unless mesh.yaml says that the principal may do this. */
export function authorize(principal: Principal, access: Access | undefined, service: string): void {
  switch (principal.kind) {
    case "operator":
      return;
    case "service":
      if (access === undefined)
        throw new Problem("forbidden", `"${principal.name}" may not come here: it takes the OPERATOR_KEY.`);
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
