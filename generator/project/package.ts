import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that this package is installed in. */
export function packageFolder(): string {
  return fileURLToPath(new URL(".", import.meta.resolve("meshwright/package.json")));
}

export async function readVersion(): Promise<string> {
  const text = await readFile(join(packageFolder(), "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

type Templates = Readonly<Record<string, string>>;

let templates: Promise<Templates> | undefined;

/**
 * Text of each template by its path, as the build gathered them. Always the same object: what is made of templates is kept with it,
 * from one run to the next where mesh.yaml is watched.
 */
export function readTemplates(): Promise<Templates> {
  templates ??= readFile(join(packageFolder(), "dist/templates/texts.json"), "utf8").then(
    (text) => JSON.parse(text) as Templates,
  );
  return templates;
}
