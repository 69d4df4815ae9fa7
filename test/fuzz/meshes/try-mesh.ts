import { rmSync, writeFileSync } from "node:fs";
import { CommanderError } from "commander";
import { buildProgram } from "../../../generator/cli/command-line.js";
import { report } from "../../../generator/cli/report-error.js";
import { UsageError } from "../../../generator/project/usage-error.js";
import { type Draw, openDraw, pick } from "../../support/draw.js";
import { mutatedMesh } from "./mutated-mesh.js";

/** What a command did that no mesh.yaml may make it do. */
export interface Finding {
  readonly seed: number;
  readonly base: string;
  readonly command: string;
  readonly problem: string;
}

export interface Tried {
  readonly valid: boolean;
  readonly findings: readonly Finding[];
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What it threw that no user has caused. */
  readonly mistake?: unknown;
}

/** Of the processor, for one command: a hundred times what a mesh of these takes. */
const MOST_CPU_MS = 10_000;

/** A line of a stack trace; `mesh.yaml:1:1` is none. */
const STACK = /^ +at .*(?:\.[cm]?[jt]s:\d+|node:|<anonymous>)/m;

/** Asks everything of one mutated mesh, in this process and its folder, as somebody at a terminal would. */
export async function tryMesh(seed: number): Promise<Tried> {
  const { base, before, text } = mutatedMesh(seed);
  const draw = openDraw(seed + 0x9e37);
  writeFileSync("mesh.yaml", text);
  writeFileSync("before.yaml", before);
  const findings: Finding[] = [];
  const ask = async (...args: readonly string[]): Promise<Ended> => {
    const started = process.cpuUsage();
    const ended = await runCommand(args);
    const { user, system } = process.cpuUsage(started);
    for (const problem of problemsOf(ended, (user + system) / 1_000, args))
      findings.push({ seed, base, command: `mesh ${args.join(" ")}`, problem });
    return ended;
  };
  const checked = await ask("check", ...pick([[], ["--json"], ["--strict"]], draw));
  const again = await ask("check", "--json");
  const valid = again.code === 0;
  if (draw(8) === 0 && (await ask("check", "--json")).stdout !== again.stdout)
    findings.push({
      seed,
      base,
      command: "mesh check --json",
      problem: "says something else the second time",
    });
  if (!valid && checked.code !== 1)
    findings.push({
      seed,
      base,
      command: "mesh check",
      problem: `ends with ${checked.code} on a mesh with errors`,
    });
  const asked = valid ? questions(text, draw) : [pick(questions(text, draw), draw)];
  // Each mesh finds what one before has left there, now and then.
  if (draw(4) > 0) for (const folder of WRITTEN) rmSync(folder, { recursive: true, force: true });
  // It takes most of the time, and is what `deploy` reads.
  if (valid && draw(3) === 0)
    await ask("generate", "--allow-destructive", ...pick([[], ["--json"], ["--check"]], draw));
  for (const args of asked) await ask(...args);
  if (draw(valid ? 3 : 8) === 0) {
    writeFileSync("mesh.yaml", before);
    writeFileSync("before.yaml", text);
    await ask("diff", "--against", "before.yaml", ...pick(DIFF_FORMS, draw));
  }
  return { valid, findings };
}

/** What `mesh deploy` and `mesh credentials` keep between runs, and what `generate` would have written for the former. */
const WRITTEN = ["deployed", "keys", "generated"];

const DIFF_FORMS = [[], ["--json"], ["--sarif"], ["--github"], ["--markdown"], ["--fail-on", "none"]];

/** One of each command that reads a mesh, about words of it. */
function questions(text: string, draw: Draw): readonly (readonly string[])[] {
  const names = text.match(/[\w-]+(?:\.(?:[\w-]+|\{id\}))*/g) ?? ["a"];
  const name = () => pick(names, draw);
  const what = () => pick([name(), `${name()}.${name()}`, `${name()}.${name()}.${name()}`], draw);
  const json = () => (draw(2) === 0 ? ["--json"] : []);
  return [
    [
      "graph",
      "--format",
      pick(["svg", "mermaid", "dot"], draw),
      ...(draw(2) === 0 ? ["--focus", what()] : []),
    ],
    ["impact", ...json(), "--", what()],
    ["explain", ...json(), "--", what().replace(".{id}", "")],
    ["diff", "--against", "before.yaml", ...pick(DIFF_FORMS, draw)],
    ["export", pick(["asyncapi", "openapi", "jsonschema", "backstage"], draw)],
    ["deploy", pick(["compose", "kubernetes"], draw), "--out", "deployed", ...json()],
    // Nothing of it runs anywhere.
    ["trace", ...json(), "--", what().replace(".{id}", ""), name()],
    ["tail", ...json(), ...(draw(2) === 0 ? ["--service", name()] : []), "--", what()],
    ["credentials", "--out", "keys", ...json(), ...(draw(4) === 0 ? ["--rotate", name()] : [])],
  ];
}

/** A command line in this process: what it prints, and the code that it would end with. */
async function runCommand(args: readonly string[]): Promise<Ended> {
  const output = { stdout: "", stderr: "" };
  const { stdout, stderr } = process;
  const writes = { stdout: stdout.write, stderr: stderr.write };
  const into = (name: "stdout" | "stderr") =>
    ((chunk: string | Uint8Array) => {
      output[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
      return true;
    }) as typeof stdout.write;
  stdout.write = into("stdout");
  stderr.write = into("stderr");
  let code = 0;
  let mistake: unknown;
  try {
    const program = buildProgram("0.0.0", (ended) => {
      code = ended;
    });
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof CommanderError)) mistake = error;
    code = report(error);
  } finally {
    stdout.write = writes.stdout;
    stderr.write = writes.stderr;
  }
  return { code, ...output, mistake };
}

function problemsOf(ended: Ended, cpuMs: number, args: readonly string[]): readonly string[] {
  const { code, stdout, stderr, mistake } = ended;
  const problems: string[] = [];
  if (![0, 1, 2].includes(code)) problems.push(`exit code ${code}`);
  if (mistake !== undefined)
    problems.push(`a mistake of ours: ${mistake instanceof Error ? mistake.stack : String(mistake)}`);
  if (STACK.test(stderr) || STACK.test(stdout)) problems.push(`a stack trace:\n${stderr.slice(0, 3_000)}`);
  if (code === 2 && stdout + stderr === "") problems.push("exit code 2 without a reason");
  if (cpuMs > MOST_CPU_MS) problems.push(`took ${Math.round(cpuMs)} ms of the processor`);
  if (args.includes("--json") || args.includes("--sarif")) {
    if (stdout !== "" && !isJson(stdout)) problems.push(`no JSON:\n${stdout.slice(0, 500)}`);
    if (stdout === "" && code !== 2) problems.push("no JSON at all");
  }
  return problems;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
