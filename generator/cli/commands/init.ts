import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { type ExitCode, UsageError } from "../exit.js";
import { completeLines, completePackage, readIfPresent } from "../init/project-files.js";
import {
  STARTER_ATTRIBUTES,
  STARTER_HOOKS,
  STARTER_IGNORES,
  STARTER_MESH,
  STARTER_TSCONFIG,
} from "../init/starter.js";
import { readVersion } from "../package.js";
import { colour, print } from "../terminal.js";

interface File {
  readonly path: string;
  /** undefined: what is there already does. */
  readonly text: string | undefined;
  /** Present files are completed where the whole text says so, else left as they are. */
  readonly complete?: true;
}

/** Writes a small mesh to start from. Never overwrites: a folder with a mesh.yaml is refused, other files are left or added to. */
export async function init(): Promise<ExitCode> {
  if ((await readIfPresent("mesh.yaml")) !== undefined) {
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
      text: completePackage(await readIfPresent("package.json"), await readVersion(), packageName()),
      complete: true,
    },
    { path: "tsconfig.json", text: json(STARTER_TSCONFIG) },
    {
      path: ".gitignore",
      text: completeLines(await readIfPresent(".gitignore"), STARTER_IGNORES),
      complete: true,
    },
    {
      path: ".gitattributes",
      text: completeLines(await readIfPresent(".gitattributes"), STARTER_ATTRIBUTES),
      complete: true,
    },
    { path: ".vscode/settings.json", text: json(vscode) },
    { path: "hooks/orders.ts", text: STARTER_HOOKS },
  ];
}

async function write({ path, text, complete }: File): Promise<void> {
  const present = await readIfPresent(path);
  const keep = text === undefined || text === present || (present !== undefined && !complete);
  print(
    `  ${keep ? colour.dim("kept   ") : colour.green(present === undefined ? "wrote  " : "added  ")} ${path}`,
  );
  if (keep) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
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
