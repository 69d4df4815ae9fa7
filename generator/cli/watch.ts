import { once } from "node:events";
import { watch } from "chokidar";
import { MESH_FILE } from "../project/paths.js";
import { colour, tell } from "../terminal/terminal.js";
import type { ExitCode } from "./exit-code.js";

/** Editors save in several steps; a run per step would read half a file. */
const SETTLE_MS = 30;

/**
 * Runs `work` now and after each change of mesh.yaml, never two at once, until Ctrl-C. A failed run is reported
 * and waits for the next save. It looks before the first run: a save during that one must not go unseen.
 */
export async function watchMesh(work: () => Promise<ExitCode>): Promise<void> {
  const watcher = watch(MESH_FILE, { ignoreInitial: true, atomic: true });
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  watcher.on("all", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(work).catch((error: Error) => tell(colour.red(error.message)));
    }, SETTLE_MS);
  });
  try {
    await once(watcher, "ready");
    running = running.then(work);
    await running;
    tell(colour.dim(`watching ${MESH_FILE}; Ctrl-C ends`));
    await new Promise<void>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
    });
    clearTimeout(timer);
    await running;
  } finally {
    await watcher.close();
  }
}
