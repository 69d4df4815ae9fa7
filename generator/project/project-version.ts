import { readFile } from "node:fs/promises";

/** What the package.json beside mesh.yaml says; undefined: there is none, or it says none. */
export async function readProjectVersion(): Promise<string | undefined> {
  try {
    const { version }: { readonly version?: unknown } =
      JSON.parse(await readFile("package.json", "utf8")) ?? {};
    return typeof version === "string" && version !== "" ? version : undefined;
  } catch {
    return undefined;
  }
}
