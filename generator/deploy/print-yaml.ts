import { stringify } from "yaml";
import { HEADER } from "../emit/file.js";

export interface DeployedFile {
  /** Within the folder. */
  readonly path: string;
  readonly text: string;
  /** `people`: written once, theirs from then on. */
  readonly owner: "mesh" | "people";
}

export function ours(path: string, text: string): DeployedFile {
  return { path, text, owner: "mesh" };
}

/** Docker and Kubernetes read YAML 1.1, in which "off" is no text. */
const YAML = { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" } as const;

/** Documents of one file, under the line that says who writes it. */
export function yaml(...documents: readonly object[]): string {
  const texts = documents.map((document) => stringify(document, YAML));
  return `# ${HEADER}\n${texts.join("---\n")}`;
}
