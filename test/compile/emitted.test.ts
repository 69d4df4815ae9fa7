import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ROOT, readMesh } from "../support/compile.js";
import { outputOf, readTree, writeTree } from "../support/generated-output.js";

/*
 * All emitted TypeScript, compiled at once under the flags that the README promises. The runtime is there
 * with the types that its package has, so that a fault here is ours.
 */

/** A user's code: compiles where it follows the mesh, and fails to where it does not. */
const USES = `
import type { ComputeHooks } from "./generated/compute/service.js";
import { computeService } from "./generated/compute/service.js";
import { sfsService } from "./generated/sfs/service.js";
import { usersRepository } from "./generated/auth/tables.js";
import { userCacheRepository } from "./generated/sfs/tables.js";
import { authPublisher } from "./generated/auth/publisher.js";
import type { Tx } from "@meshwright/runtime";
import type { OrderPlaced } from "./named-types/sales/events.js";
import type { PaymentReceived } from "./named-types/bank/events.js";
import type { Money } from "./named-types/types.js";
declare const tx: Tx;
export const hooks: ComputeHooks = {
  async deleteContainerNamespace({ row, signal }) { row.namespace satisfies string; signal.throwIfAborted(); },
  async onUserCreated({ event, tx }) { await tx.query("SELECT", [event.user_id, event.metadata.version ?? 1]); },
};
computeService(hooks);
sfsService();
sfsService({ async onEvent({ event, subject }) { subject satisfies string; event.metadata.entity_id satisfies string; } });
await usersRepository(tx).create({ username: "a" });
await usersRepository(tx).update("id", { display_name: "b" });
await authPublisher(tx).userDeleted("id", { user_id: "id", username: "a" });
declare const placed: OrderPlaced;
const total: Money = placed.total;
placed.lines[0]?.discount?.amount satisfies string | undefined;
({ paid: total }) satisfies Pick<PaymentReceived, "paid">;
// @ts-expect-error a decimal is a string, in named types too
({ amount: 1, currency: "EUR" }) satisfies Money;
// @ts-expect-error a cascade names a hook that only the service can take
computeService({});
// @ts-expect-error a key never changes
await usersRepository(tx).update("id", { user_id: "other" });
// @ts-expect-error username is required
await usersRepository(tx).create({});
// @ts-expect-error left out is not undefined
await usersRepository(tx).create({ username: "a", display_name: undefined });
// @ts-expect-error a cache is read-only to all but its events
userCacheRepository(tx).update;
// @ts-expect-error no field of the event
await authPublisher(tx).userDeleted("id", { user_id: "id", username: "a", display_name: "A" });
// @ts-expect-error of another type
await authPublisher(tx).userDeleted("id", { user_id: 1, username: "a" });
// @ts-expect-error the payload of another event
await authPublisher(tx).userCreated("id", { user_id: "id" });
// @ts-expect-error not one of its events
authPublisher(tx).containerCreated;
`;

const folder = mkdtempSync(join(tmpdir(), "mesh-compile-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("everything emitted compiles under the strict flags", { timeout: 120_000 }, async () => {
  for (const name of readdirSync(join(ROOT, "test/scenarios/emit")))
    writeTree(join(folder, name), await outputOf(readMesh(`test/scenarios/emit/${name}/mesh.yaml`)));
  writeTree(join(folder, "generated"), readTree(join(ROOT, "generated")));
  writeFileSync(join(folder, "uses.ts"), USES);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(CONFIGURATION));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));

  const { stdout, status } = spawnSync(
    process.execPath,
    [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder],
    {
      encoding: "utf8",
    },
  );
  expect(stdout).toBe("");
  expect(status).toBe(0);
});

const CONFIGURATION = {
  compilerOptions: {
    target: "ES2023",
    lib: ["ES2023"],
    module: "NodeNext",
    moduleResolution: "NodeNext",
    types: ["node"],
    paths: { "@meshwright/runtime": [join(ROOT, "runtime/dist/index.d.ts")] },
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    noUnusedLocals: true,
    skipLibCheck: true,
    noEmit: true,
  },
};
