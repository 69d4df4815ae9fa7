import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { findNatsServer } from "../../generator/dev/servers/nats-binary.js";
import { findPostgres } from "../../generator/dev/servers/postgres-binary.js";
import type { Form } from "../section.js";

/** When, of what and on what a run of the bench was made. */
export interface Run {
  readonly form: Form;
  readonly day: string;
  /** With "+" where files had been changed since. */
  readonly commit: string;
  readonly machine: string;
  readonly versions: string;
  /** Processes that wanted a core in the minute before. Above 0.5 something else was running. */
  readonly load: number;
}

/** Called before the first section, whose own load would count otherwise. */
export async function describeRun(form: Form): Promise<Run> {
  const cores = cpus();
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  const said = (program: string, option: string) =>
    execFileSync(program, [option], { encoding: "utf8" }).trim();
  const postgres = said(join(await findPostgres(), "postgres"), "--version").replace(
    "postgres (PostgreSQL)",
    "PostgreSQL",
  );
  const nats = said(await findNatsServer(), "--version").replace(": v", " ");
  return {
    form,
    day: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: `${cores.length} × ${cores[0]?.model ?? process.arch}, ${gigabytes} GB, ${type()} ${release()}`,
    versions: `Node ${process.versions.node}, ${postgres}, ${nats}`,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

function commit(): string {
  try {
    const git = (...words: string[]) => execFileSync("git", words, { encoding: "utf8" }).trim();
    return git("rev-parse", "--short=8", "HEAD") + (git("status", "--porcelain") === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}
