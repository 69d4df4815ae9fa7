import { basename, resolve } from "node:path";
import { openOutputFolder } from "../../project/output-folder.js";
import { readVersion } from "../../project/package.js";
import { UsageError } from "../../project/usage-error.js";
import { colour, print } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { completeLines, completePackage } from "../init/project-files.js";
import {
  STARTER_ATTRIBUTES,
  STARTER_HOOKS,
  STARTER_IGNORES,
  STARTER_MESH,
  STARTER_TSCONFIG,
} from "../init/starter.js";

/** Like the output: nothing is written through a link. */
const folder = openOutputFolder(".");

interface File {
  readonly path: string;
  /** undefined: what is there already does. */
  readonly text: string | undefined;
  /** Present files are completed where the whole text says so, else left as they are. */
  readonly complete?: true;
}

/** Writes a small mesh to start from. Never overwrites: a folder with a mesh.yaml is refused, other files are left or added to. */
export async function init(): Promise<ExitCode> {
  if (folder.read("mesh.yaml") !== undefined) {
    throw new UsageError(
      "mesh.yaml exists: nothing was written",
      "mesh init starts a new mesh in an empty folder",
    );
  }
  for (const file of await starterFiles()) await write(file);
  print(`\nnext: ${colour.bold("npm install && npx mesh generate && npx mesh dev")}`);
  return 0;
}

async function starterFiles(): Promise<readonly File[]> {
  const vscode = { "yaml.schemas": { "./generated/mesh.schema.json": "mesh.yaml" } };
  return [
    { path: "mesh.yaml", text: STARTER_MESH },
    {
      path: "package.json",
      text: completePackage(folder.read("package.json"), await readVersion(), packageName()),
      complete: true,
    },
    { path: "tsconfig.json", text: json(STARTER_TSCONFIG) },
    {
      path: ".gitignore",
      text: completeLines(folder.read(".gitignore"), STARTER_IGNORES),
      complete: true,
    },
    {
      path: ".gitattributes",
      text: completeLines(folder.read(".gitattributes"), STARTER_ATTRIBUTES),
      complete: true,
    },
    { path: ".vscode/settings.json", text: json(vscode) },
    { path: "hooks/orders.ts", text: STARTER_HOOKS },
  ];
}

async function write({ path, text, complete }: File): Promise<void> {
  const present = folder.read(path);
  const keep = text === undefined || text === present || (present !== undefined && !complete);
  print(
    `  ${keep ? colour.dim("kept   ") : colour.green(present === undefined ? "wrote  " : "added  ")} ${path}`,
  );
  if (keep) return;
  folder.write(path, text);
}

function packageName(): string {
  const name = basename(resolve("."))
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name || "shop";
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
