import { execFile } from "node:child_process";
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ts } from "ts-morph";
import { compile } from "../support/compile.js";
import type { Permissions } from "./broker.js";

/*
 * The reference mesh as a user would deploy it: generated from mesh.yaml into a project of its own,
 * compiled, each service a plain Node process.
 */

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = join(ROOT, "generator/bin/mesh.js");

export const SERVICES = ["auth", "sfs", "compute", "gateway"] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface ProjectOptions {
  readonly folder: string;
  /** Replicas of every stream; 1 is the default and is not written to mesh.yaml. */
  readonly replicas: number;
  /** Time until redelivery of what a killed process had in flight: short, so that it happens in every round. */
  readonly ackWaitSeconds: number;
}

export interface Project {
  readonly folder: string;
  /** The compiled entry point of a service. */
  main(service: ServiceName): string;
  hooks(service: ServiceName): string;
  /** The emitted broker permissions. */
  readonly permissions: Permissions;
}

export async function makeProject(options: ProjectOptions): Promise<Project> {
  const { folder, replicas, ackWaitSeconds } = options;
  await mkdir(join(folder, "node_modules"), { recursive: true });
  await symlink(join(ROOT, "node_modules/@meshwright"), join(folder, "node_modules/@meshwright"));
  await writeFile(join(folder, "package.json"), `{ "name": "chaos", "private": true, "type": "module" }\n`);
  const settings = [
    `delivery: { ack_wait: ${ackWaitSeconds}s }`,
    ...(replicas === 1 ? [] : [`streams: { replicas: ${replicas} }`]),
  ];
  const mesh = await readFile(join(ROOT, "mesh.yaml"), "utf8");
  const text = `${mesh}\n${settings.join("\n")}\n`;
  await writeFile(join(folder, "mesh.yaml"), text);
  await promisify(execFile)(process.execPath, [CLI, "generate"], { cwd: folder });
  await compileFolder(join(folder, "generated"));
  await mkdir(join(folder, "hooks"));
  for (const service of SERVICES) {
    const source = fileURLToPath(new URL(`hooks/${service}.ts`, import.meta.url));
    await copyFile(source, join(folder, `hooks/${service}.ts`));
  }
  await compileFolder(join(folder, "hooks"));
  return {
    folder,
    permissions: {
      mesh: compile(text),
      configuration: await readFile(join(folder, "generated/nats.conf"), "utf8"),
    },
    main: (service) => join(folder, `generated/${service}/main.js`),
    hooks: (service) => join(folder, `hooks/${service}.js`),
  };
}

/** Only removes types: they were checked with the rest of the repository. */
async function compileFolder(folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true });
  for (const name of names.filter((one) => one.endsWith(".ts"))) {
    const path = join(folder, name);
    const { outputText } = ts.transpileModule(await readFile(path, "utf8"), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    await writeFile(path.replace(/\.ts$/, ".js"), outputText);
  }
}
