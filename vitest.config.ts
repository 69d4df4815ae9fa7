import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.js";

/** Tests that start no server: they run without the shared PostgreSQL and broker. */
const UNIT = ["test/unit/**/*.test.ts", "test/golden/*.test.ts", "test/architecture.test.ts"];

export default defineConfig({
  // Packages of this workspace are tested from their sources, not from the last build.
  resolve: { conditions: ["meshwright-source"] },
  ssr: { resolve: { conditions: ["meshwright-source"] } },
  test: {
    // Waits within tests have shorter ends that say what was waited for: this one is for what hangs.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // Tests on servers wait for more than half of their time: four at once keep two cores busy.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // CI's machines are shared: a real server that was starved once is tried again, and the retry is reported.
    retry: process.env.CI ? 1 : 0,
    projects: [
      // Without isolation the files of a worker share modules: loading TypeScript and ajv once saves half of the time.
      {
        extends: true,
        test: { name: "unit", include: UNIT, isolate: false, setupFiles: ["test/support/refuse-servers.ts"] },
      },
      {
        extends: true,
        test: {
          name: "servers",
          include: ["test/**/*.test.ts"],
          exclude: UNIT,
          globalSetup: ["test/support/global-setup.ts"],
          setupFiles: ["test/support/drop-databases.ts"],
        },
      },
    ],
  },
});
