#!/usr/bin/env node
import { readVersion } from "../project/package.js";
import { buildProgram } from "./command-line.js";
import { report } from "./report-error.js";

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // EIO: the terminal is gone. SIGHUP says so to whoever runs on, and has things to put in order.
    if (error.code === "EIO") return;
    if (error.code !== "EPIPE") throw error;
    // `mesh status | head` closes our output early: no reason for a stack trace.
    process.exit(0);
  });
}

await buildProgram(await readVersion(), (code) => {
  process.exitCode = code;
})
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = report(error);
  });
