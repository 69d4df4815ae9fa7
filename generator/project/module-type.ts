import { dirname, join } from "node:path";
import { readRegularFile } from "./regular-file.js";
import { UsageError } from "./usage-error.js";

const MOST_BYTES = 1024 * 1024;

/** Generated code and hooks are ES modules, and Node takes a file for one where the nearest package.json says so. */
export async function refuseOtherModules(folder: string): Promise<void> {
  for (let at = folder; ; at = dirname(at)) {
    const text = await readRegularFile(join(at, "package.json"), MOST_BYTES);
    if (text !== undefined && saysModule(new TextDecoder().decode(text))) return;
    if (text !== undefined)
      throw new UsageError(
        `${join(at, "package.json")} does not say that this folder's code is ES modules`,
        'add "type": "module" to it',
      );
    if (dirname(at) === at)
      throw new UsageError(
        `no package.json says that the code in ${folder} is ES modules`,
        'write one beside mesh.yaml: { "type": "module" }',
      );
  }
}

function saysModule(text: string): boolean {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === "object" && read !== null && "type" in read && read.type === "module";
  } catch (cause) {
    if (cause instanceof SyntaxError) return false;
    throw cause;
  }
}
