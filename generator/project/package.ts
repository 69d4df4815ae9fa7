import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that this package is installed in. */
function packageFolder(): string {
  return fileURLToPath(new URL(".", import.meta.resolve("meshwright/package.json")));
}

export async function readVersion(): Promise<string> {
  const text = await readFile(join(packageFolder(), "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Text of each template that the build copied, by its path, with plain line ends whatever a checkout has made of them. */
export async function readTemplates(): Promise<Readonly<Record<string, string>>> {
  const root = join(packageFolder(), "dist/templates");
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(
    paths.map(async (path) => [relative(root, path).replaceAll(sep, "/"), await readText(path)] as const),
  );
  return Object.fromEntries(texts);
}

async function readText(path: string): Promise<string> {
  return (await readFile(path, "utf8")).replaceAll("\r\n", "\n");
}
