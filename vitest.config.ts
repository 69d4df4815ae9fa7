import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    // Generated code imports the package by name; tests run it against the source, not the last build.
    alias: {
      "meshwright/runtime": fileURLToPath(new URL("./runtime/index.ts", import.meta.url)),
      "meshwright/simulate": fileURLToPath(new URL("./simulator/index.ts", import.meta.url)),
    },
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    // CI's machines are shared: a real server that was starved once is tried again, and the retry is reported.
    retry: process.env.CI ? 1 : 0,
  },
});
