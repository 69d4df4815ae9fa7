import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChaos } from "./chaos.js";
import type { ChaosOptions } from "./options.js";
import { ROOT } from "./project.js";
import { describeRound } from "./report.js";

/*
 * A share of `npm run chaos` that fits CI: few rounds, plans from a fixed seed. What fails here is run
 * again with `npm run chaos -- --seed … --from …`, for as long as it takes.
 */

const OPTIONS: ChaosOptions = {
  rounds: 3,
  seed: 7,
  from: 1,
  cluster: false,
  minutes: 1,
  soak: undefined,
  rate: 80,
  users: 24,
  quiescentMs: 30_000,
  only: undefined,
  patience: 1,
  json: false,
  keep: false,
};

async function expectClean(options: ChaosOptions): Promise<void> {
  if (!existsSync(join(ROOT, "generator/dist/bundle/main.js")))
    throw new Error("the CLI is not built: npm run build");
  const report = await runChaos(options);
  expect(report.rounds.length).toBeGreaterThan(0);
  expect(report.writes.committed).toBeGreaterThan(50);
  expect(report.events).toBeGreaterThan(50);
  const failed = report.rounds.filter(({ violations }) => violations.length > 0);
  expect(failed.map((round) => describeRound(round, options.seed)).join("\n")).toBe("");
}

test("after rounds of faults on one broker every promise is kept", async () => {
  const only = [
    "kill process",
    "freeze process",
    "stop process",
    "kill broker",
    "kill database",
    "cut link",
    "halve link",
    "delay link",
    "poison",
    "hook out of reach",
  ];
  await expectClean({ ...OPTIONS, only });
}, 150_000);

test("after rounds of faults on a cluster every promise is kept", async () => {
  const only = ["kill leader", "kill broker", "kill process", "cut link"];
  await expectClean({ ...OPTIONS, cluster: true, rounds: 2, only });
}, 180_000);
