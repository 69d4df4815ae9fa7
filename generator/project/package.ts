import { readdir, readFile } from "node:fs/promises";
import { join, sep } from "node:path";
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
 * Text of each template that the build copied, by its path, with plain line ends whatever a checkout has made of them. Always the
 * same object: what is made of templates is kept with it, from one run to the next where mesh.yaml is watched.
 */
export function readTemplates(): Promise<Templates> {
  templates ??= readAllTemplates();
  return templates;
}

async function readAllTemplates(): Promise<Templates> {
  const root = join(packageFolder(), "dist/templates");
  // As texts: the entries of Node 20.11 do not know their folder.
  const paths = (await readdir(root, { recursive: true })).filter((path) => path.endsWith(".hbs"));
  const texts = await Promise.all(
    paths.map(async (path) => [path.replaceAll(sep, "/"), await readText(join(root, path))] as const),
  );
  return Object.fromEntries(texts);
}

async function readText(path: string): Promise<string> {
  return (await readFile(path, "utf8")).replaceAll("\r\n", "\n");
}
