import type { Service } from "./mesh.js";

/** The services that are generated, in the model's order. */
export function ownServices(services: readonly Service[]): readonly Service[] {
  return services.filter(({ external }) => !external);
}
