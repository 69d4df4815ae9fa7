import type { Report } from "../diagnostics/report.js";
import type { NamedNode, TextNode } from "../language/node.js";
import type { ServiceSymbol } from "../language/symbols.js";

interface Sought {
  readonly service: ServiceSymbol;
  readonly path: TextNode<string>;
}

/** The resource that the service serves at the path; else reports that there is none. Of an external service that is not known. */
export function findResource(
  { service, path }: Sought,
  report: Report,
): NamedNode<string, TextNode<string>> | undefined {
  if (service.external || service.node === undefined) return undefined;
  const resources = service.node.get.http?.get.resources;
  const paths = new Map((resources?.entries ?? []).map((resource) => [resource.name.value, resource]));
  const served = paths.get(path.value);
  if (served === undefined) {
    const clue = report.nearest(path.value, paths, (resource) => resource.name.span);
    report("unknown-resource", path.span, { service: service.name, path: path.value }, clue);
  }
  return served;
}
