import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { authService } from "../../generated/auth/service.js";
import { computeService } from "../../generated/compute/service.js";
import { gatewayService } from "../../generated/gateway/service.js";
import { type SfsHooks, sfsService } from "../../generated/sfs/service.js";
import { ROUTINE_STEPS } from "../../generator/cli/simulate/routine-steps.js";
import { SERVER_SETTINGS, type Simulation, simulateMesh } from "../../simulator/index.js";
import { silent } from "../support/loggers.js";
import { startPostgres, type TestPostgres } from "../support/servers.js";

/*
 * The reference mesh in simulated worlds. A server of its own: transactions of others would show in the relay's
 * snapshots, and make schedules that do not repeat.
 */

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres(SERVER_SETTINGS);
});
afterAll(() => postgres.remove());

interface Choices {
  readonly seed: number;
  readonly runs: number;
  readonly path?: string;
  readonly shrinks?: number;
  readonly sfs?: SfsHooks;
  readonly onRun?: () => void;
}

let worlds = 0;

async function simulate({ sfs = {}, ...choices }: Choices): Promise<Simulation> {
  worlds += 1;
  const services = [
    authService({}),
    sfsService(sfs),
    computeService({ deleteContainerNamespace: async () => undefined }),
    gatewayService({}),
  ];
  const databases: Record<string, string> = {};
  for (const { name } of services)
    databases[name] = await postgres.createDatabase(`simulated_${name}_${worlds}`);
  return await simulateMesh({ services, databases, env: {}, logger: silent, ...choices });
}

describe("simulated schedules", () => {
  it("keep every promise", { timeout: 240_000 }, async () => {
    const { counterexample, runs, steps, faults } = await simulate({ seed: 2_026, runs: 25 });
    expect(counterexample?.violations, JSON.stringify(counterexample, null, 2)).toBeUndefined();
    expect(runs).toBe(25);
    expect(steps).toBeGreaterThan(10_000);
    expect(Object.keys(faults).length).toBeGreaterThan(12);
  });

  it("are repeatable from the same seed", { timeout: 240_000 }, async () => {
    const [first, second] = [await simulate({ seed: 5, runs: 4 }), await simulate({ seed: 5, runs: 4 })];
    expect({ ...second, ms: 0 }).toEqual({ ...first, ms: 0 });
  });

  it("throw when a schedule cannot be run", { timeout: 60_000 }, async () => {
    const onRun = () => {
      throw new Error("no relation of that name");
    };
    await expect(simulate({ seed: 3, runs: 2, onRun })).rejects.toMatchObject({
      message: "a schedule could not be run",
      cause: { message: expect.stringContaining("no relation of that name") },
    });
  });

  it("find a broken promise, shrink the schedule, and run it again", { timeout: 240_000 }, async () => {
    // Hooks that write into the cache make it differ from its source.
    const sfs: SfsHooks = {
      onUserUpdated: async ({ event, tx }) => {
        await tx.query("UPDATE user_cache SET display_name = 'mine' WHERE user_id = $1", [event.user_id]);
      },
      onUserDeleted: async ({ event, tx }) => {
        await tx.query("INSERT INTO user_cache (user_id, username) VALUES ($1, $1)", [event.user_id]);
      },
    };
    const { counterexample, seed, runs } = await simulate({ seed: 9, runs: 50, shrinks: 30, sfs });
    expect(counterexample?.violations.join("\n")).toMatch(/sfs_auth_user: the cache (has|lacks)/);
    expect(counterexample?.shrinks).toBeGreaterThan(0);
    expect(runs).toBeGreaterThan(1);
    // Small schedules end before the leader lease is validated.
    let unseen = ROUTINE_STEPS;
    for (let other = 1; unseen.length > 0 && other <= 8; other += 1) {
      const whole = await simulate({ seed: other, runs: 50, shrinks: 0, sfs });
      const steps = whole.counterexample?.trace.map(({ what }) => what) ?? [];
      unseen = unseen.filter((routine) => !steps.some((what) => routine.test(what)));
    }
    expect(unseen).toEqual([]);
    const again = await simulate({ seed, runs: 1, sfs, path: counterexample?.path ?? "" });
    expect(again.counterexample?.violations).toEqual(counterexample?.violations);
    expect(again.counterexample?.trace.length).toBe(counterexample?.trace.length);
    const mended = await simulate({ seed, runs: 5, path: counterexample?.path ?? "" });
    expect(mended.counterexample?.violations).toBeUndefined();
    expect(mended.runs).toBe(1);
  });
});
