import type { ServiceDefinition } from "../definition/service-definition.js";

/** A service that is asked over HTTP, and the variables with its address and the key that it is shown. */
export interface CalledService {
  readonly urlVariable: string;
  readonly keyVariable: string;
  readonly optional?: true;
}

/** The sources of its snapshots, and what its hooks call. */
export function calledServices({ consumers, calls = [] }: ServiceDefinition): readonly CalledService[] {
  return [...consumers.flatMap(({ sync }) => sync ?? []), ...calls];
}
