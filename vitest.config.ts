import { defineConfig } from "vitest/config";

export default defineConfig({
  // Packages of this workspace are tested from their sources, not from the last build.
  resolve: { conditions: ["meshwright-source"] },
  ssr: { resolve: { conditions: ["meshwright-source"] } },
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
