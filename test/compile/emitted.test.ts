import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ROOT, readMesh } from "../support/compile.js";
import { outputOf, readTree, writeTree } from "../support/generated-output.js";

/*
 * All emitted TypeScript, compiled at once under the flags that the README promises. The runtime is stood
 * in for by its definitions and the functions that generated code calls, so that a fault here is ours.
 */

const RUNTIME = `
import type { PublishedEvent, ServiceDefinition, ServiceFactory, TableDefinition, Tx } from "./definition.js";
export * from "./definition.js";
export interface ReadRepository<Row> { find(key: string): Promise<Row | undefined> }
export interface Repository<Row, New, Patch> extends ReadRepository<Row> {
  create(row: New): Promise<Row>;
  update(key: string, patch: Patch): Promise<Row | undefined>;
}
export declare function tableRepository<Row extends object, New extends object, Patch extends object>(
  db: Tx, table: TableDefinition<Row, New, Patch>): Repository<Row, New, Patch>;
export interface Enqueued {
  readonly source: string;
  readonly service: string;
  readonly event: PublishedEvent;
  readonly entityId: string;
  readonly payload: object;
}
export declare function enqueueEvent(tx: Tx, event: Enqueued): Promise<void>;
export declare function runMain<Hooks>(factory: ServiceFactory<Hooks>, url: string): Promise<void>;
export type Made = ServiceDefinition;
`;

/** A user's code: compiles where it follows the mesh, and fails to where it does not. */
const USES = `
import type { ComputeHooks } from "./generated/compute/service.js";
import { computeService } from "./generated/compute/service.js";
import { sfsService } from "./generated/sfs/service.js";
import { usersRepository } from "./generated/auth/repositories.js";
import { userCacheRepository } from "./generated/sfs/repositories.js";
import { authPublisher } from "./generated/auth/publisher.js";
import type { Tx } from "@meshwright/runtime";
declare const tx: Tx;
export const hooks: ComputeHooks = {
  async deleteContainerNamespace({ row, signal }) { row.namespace satisfies string; signal.throwIfAborted(); },
  async onUserCreated({ event, tx }) { await tx.query("SELECT", [event.user_id, event.metadata.version ?? 1]); },
};
computeService(hooks);
sfsService();
await usersRepository(tx).create({ username: "a" });
await usersRepository(tx).update("id", { display_name: "b" });
await authPublisher(tx).userDeleted("id", { user_id: "id", username: "a" });
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
  for (const file of ["definition.ts", "values/column-types.ts"]) {
    mkdirSync(dirname(join(folder, "runtime", file)), { recursive: true });
    copyFileSync(join(ROOT, "runtime", file), join(folder, "runtime", file));
  }
  writeFileSync(join(folder, "runtime/index.ts"), RUNTIME);
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
    paths: { "@meshwright/runtime": ["./runtime/index.ts"] },
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    noUnusedLocals: true,
    noEmit: true,
  },
};
