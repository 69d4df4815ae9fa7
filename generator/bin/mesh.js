#!/usr/bin/env node
// npm links this file before the first build, when dist/ is not there yet.
import "../dist/cli/main.js";
