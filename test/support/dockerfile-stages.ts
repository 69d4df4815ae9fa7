import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Copy, DockerfileParser } from "dockerfile-ast";

/*
 * A Dockerfile without Docker: each stage is a folder, COPY copies, RUN runs there. What base images bring is the machine's.
 */

export interface StageOptions {
  /** Folder that COPY takes from. */
  readonly context: string;
  /** Each stage becomes `stage-<name>` in it. */
  readonly folder: string;
  /** Names that the .dockerignore leaves out. */
  readonly ignored: ReadonlySet<string>;
  /** In place of a command; false: run it. */
  readonly instead?: (stage: string, command: string, cwd: string) => boolean;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Stage {
  readonly folder: string;
  readonly user: string | undefined;
  readonly entrypoint: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Throws with the output of a command that fails. */
export function runStages(text: string, options: StageOptions): Readonly<Record<string, Stage>> {
  const stages: Record<string, Stage> = {};
  let [name, cwd] = ["", ""];
  const change = (stage: Partial<Stage>) => {
    const present = stages[name];
    if (present === undefined) throw new Error("a stage begins with FROM");
    stages[name] = { ...present, ...stage };
  };
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const content = instruction.getArgumentsContent() ?? "";
    switch (instruction.getKeyword()) {
      case "ARG":
        break;
      case "FROM":
        name = /\bAS (\w+)$/.exec(content)?.[1] ?? "";
        stages[name] = {
          folder: join(options.folder, `stage-${name}`),
          user: undefined,
          entrypoint: [],
          env: {},
        };
        break;
      case "WORKDIR":
        cwd = join(options.folder, `stage-${name}`, content);
        mkdirSync(cwd, { recursive: true });
        break;
      case "COPY":
        copy(instruction as Copy, { cwd, stages, ...options });
        break;
      case "RUN":
        if (!options.instead?.(name, content, cwd)) run(content, cwd, options.env);
        break;
      case "ENV": {
        const [key = "", text = ""] = content.split("=");
        // The base image's PATH is the machine's, and /app lies in the stage's folder.
        const value = text
          .replace("$PATH", process.env.PATH ?? "")
          .replace(/(?<![\w/])\/app(?=\/)/, join(stages[name]?.folder ?? "", "app"));
        change({ env: { ...stages[name]?.env, [key]: value } });
        break;
      }
      case "USER":
        change({ user: content });
        break;
      case "ENTRYPOINT":
        change({ entrypoint: JSON.parse(content) });
        break;
      default:
        throw new Error(`${instruction.getKeyword()} is not known here`);
    }
  }
  return stages;
}

interface CopyPlaces extends StageOptions {
  readonly cwd: string;
  readonly stages: Readonly<Record<string, Stage>>;
}

function copy(instruction: Copy, { cwd, stages, context, ignored }: CopyPlaces): void {
  const from = instruction.getFromFlag()?.getValue() ?? undefined;
  const content = instruction.getArgumentsContent() ?? "";
  const words: readonly string[] = content.startsWith("[") ? JSON.parse(content) : content.split(" ");
  const [to = "", ...sources] = words.toReversed();
  const root = from === undefined ? context : (stages[from]?.folder ?? "");
  const filter = (path: string) => from !== undefined || path === context || !ignored.has(basename(path));
  for (const source of sources) {
    const intoFolder = to.endsWith("/") && !source.endsWith(".") && source !== "/app";
    const target = join(cwd, to, intoFolder ? basename(source) : "");
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, source), target, { recursive: true, verbatimSymlinks: true, filter });
  }
}

function run(command: string, cwd: string, env: NodeJS.ProcessEnv = process.env): void {
  const { status, stdout, stderr } = spawnSync("sh", ["-c", command], { cwd, env, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ended with ${status}:\n${stdout}${stderr}`);
}
