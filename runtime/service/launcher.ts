import { readFileSync } from "node:fs";

/*
 * npm, npx and the like start a program through a shell, and pass a SIGTERM to that shell only. The shell dies, they exit, and
 * the program would run on for ever.
 */

/** The variable is set by npm, npx, yarn, pnpm and bun only, for what they start. */
const launchedByNpm = process.env.npm_config_user_agent !== undefined;

/** The terminal sends a Ctrl-C to all processes, and npm and npx send it again: two signals within this time are one. */
export const SAME_SIGNAL_MS = launchedByNpm ? 500 : 0;

const POLL_MS = 500;

/**
 * Calls back once, when the npm that started this process is gone, which may have happened before this call. Does nothing in a
 * process that was started otherwise.
 */
export function watchLauncher(onGone: () => void): void {
  if (!launchedByNpm) return;
  const timer = setInterval(() => {
    if (!startedAsOrphan && ancestors() === startedBy) return;
    clearInterval(timer);
    onGone();
  }, POLL_MS);
  timer.unref();
}

/** Pids of our parent, the shell, and of its parent, where /proc tells. The parent of an orphan changes. */
function ancestors(): string {
  return `${process.ppid} ${parentOf(process.ppid)}`;
}

const LAUNCHER = /^([^\0]*\/)?(node|npm|npx|yarn|pnpm|bun)/;

/** Whether an ancestor is npm or its like: node, or a process of such a name. True where /proc does not tell. */
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
    // The name in parentheses may contain spaces and parentheses.
    return /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}

/** When this module is loaded, before the service listens. */
const startedBy = ancestors();
const startedAsOrphan = launchedByNpm && !hasLauncher();
