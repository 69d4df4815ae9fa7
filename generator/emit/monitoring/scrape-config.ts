import { ownServices } from "../../model/own-services.js";
import type { Lookup } from "../lookup.js";

export interface ScrapeView {
  readonly header: string;
  readonly job: string;
  readonly targets: readonly string[];
}

/** prometheus.yml: where the services listen by default. */
export function scrapeView({ mesh }: Lookup, header: string): ScrapeView {
  return {
    header,
    job: JSON.stringify(mesh.name),
    targets: ownServices(mesh.services).map(({ name, environment }) => {
      const port = environment.find((variable) => variable.name === "PORT")?.default ?? "8080";
      return JSON.stringify(`${name}-service:${port}`);
    }),
  };
}
