import { readFileSync } from "node:fs";

/*
 * npm, npx and their like put a shell between themselves and the program, and pass a SIGTERM on to that shell alone.
 * It dies, they exit, and the program would run on with nobody to end it.
 */

/** Set by npm, npx, yarn, pnpm and bun for what they start, and by nobody else. */
const launchedByNpm = process.env.npm_config_user_agent !== undefined;

/** npm and npx pass on a Ctrl-C that the terminal has sent to all of us: within this time it is one, not two. */
export const SAME_SIGNAL_MS = launchedByNpm ? 500 : 0;

const LOOK_MS = 500;

/**
 * Calls back once, when what started this process through npm is gone, as it may be before this one has come so far.
 * Whoever was started otherwise may outlive it.
 */
export function watchLauncher(onGone: () => void): void {
  if (!launchedByNpm) return;
  const timer = setInterval(() => {
    if (!startedAsOrphan && ancestors() === startedBy) return;
    clearInterval(timer);
    onGone();
  }, LOOK_MS);
  timer.unref();
}

/** Our parent, the shell, and its parent, where the system tells. An orphan is given to another one. */
function ancestors(): string {
  return `${process.ppid} ${parentOf(process.ppid)}`;
}

const LAUNCHER = /^([^\0]*\/)?(node|npm|npx|yarn|pnpm|bun)/;

/** npm and its like are node, or are called by their names; all of them are, where the system does not tell. */
function hasLauncher(): boolean {
  for (let pid = process.ppid; pid > 0; pid = Number(parentOf(pid))) {
    const command = commandOf(pid);
    if (command === undefined || LAUNCHER.test(command)) return true;
  }
  return false;
}

function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return undefined;
  }
}

function parentOf(pid: number): string {
  try {
    // The name before it is in parentheses, and may hold any of these.
    return /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}

/** As this module is loaded: a service listens only a while later. */
const startedBy = ancestors();
const startedAsOrphan = launchedByNpm && !hasLauncher();
