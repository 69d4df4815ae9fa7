#!/usr/bin/env node
// npm links this file before the first build, when dist/ is not there yet.
import module from "node:module";

// Since Node 22.8: the next run need not compile what this one has.
module.enableCompileCache?.();
await import("../dist/bundle/main.js");
