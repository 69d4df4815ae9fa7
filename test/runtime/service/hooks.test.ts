import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, expect, test } from "vitest";
import { loadHooks, loadService, requireHooks } from "../../../runtime/service/hooks.js";
import { streamPlan } from "../../support/broker-plans.js";
import { eventDefinition } from "../../support/event-definition.js";
import { defineService } from "../../support/service-definition.js";

let root: string;
let main: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mesh-hooks-"));
  await mkdir(join(root, "hooks"));
  main = pathToFileURL(join(root, "generated", "file-store", "main.js")).href;
});

const listening = {
  durable: "d",
  stream: streamPlan({ name: "S" }),
  filter: "a.b.*.*",
  entity: "shop.customer",
  delivery: { attempts: 1, backoffSeconds: [1], ackWaitSeconds: 1, maxAckPending: 1, batch: 1 },
};

const write = (name: string, text: string) => writeFile(join(root, "hooks", name), text);

test("a service without a module has no hooks", async () => {
  expect(await loadHooks(main, undefined)).toEqual({ hooks: {}, path: undefined });
});

test("the module beside generated/ is found by its name, its export by the service's", async () => {
  await write("file-store.mjs", "");
  await write("file-store.js", "export const fileStoreHooks = { a: 1 }; export const other = 2;");
  await writeFile(join(root, "package.json"), '{ "type": "module" }');
  expect((await loadHooks(main, undefined)).hooks).toEqual({ a: 1 });
});

test("MESH_HOOKS names another, by path or URL; a default export comes first", async () => {
  await write("mine.mjs", "export default { b: 2 }; export const fileStoreHooks = { a: 1 };");
  const path = join(root, "hooks", "mine.mjs");
  expect((await loadHooks(main, path)).hooks).toEqual({ b: 2 });
  expect((await loadHooks(main, pathToFileURL(path).href)).hooks).toEqual({ b: 2 });
});

test.each([
  ["missing.mjs", undefined, "which does not exist"],
  ["none.mjs", "export const x = 1;", 'an export "fileStoreHooks"'],
  ["broken.mjs", "throw new Error('boom')", "cannot load the hooks"],
])("%s is refused, and says why", async (name, text, message) => {
  if (text !== undefined) await write(name, text);
  await expect(loadHooks(main, join(root, "hooks", name))).rejects.toThrow(message);
});

test("a step that mesh.yaml names and nobody wrote is asked for, with its signature", async () => {
  const definition = await defineService();
  const before = { name: "archiveUser", call: undefined as never };
  const consumer = {
    ...listening,
    events: [
      {
        event: eventDefinition({ name: "CustomerDeleted", action: "deleted", change: "delete" }),
        cascades: [
          { action: "delete" as const, table: definition.tables[0] as never, column: "user_id", before },
        ],
      },
    ],
  };
  expect(() => requireHooks({ ...definition, consumers: [consumer] })).toThrowErrorMatchingInlineSnapshot(`
    [HooksError: service "auth" cannot start without a hook that mesh.yaml names:
      archiveUser, called on shop.customer.deleted before a row of users is deleted
    Write hooks/auth.ts, or name another module in MESH_HOOKS:

      import type { AuthHooks } from "../generated/auth/service.js";

      export const authHooks: AuthHooks = {
        async archiveUser({ row, logger, signal }) { … },
      };
    ]
  `);
});

test("a name that fits nothing is refused, with the one that was meant; so is what cannot be called", async () => {
  const service = await defineService();
  const events = ["UserCreated", "UserDeleted"].map((name) => ({
    event: eventDefinition({ name, action: name.slice(4).toLowerCase(), change: "none" }),
  }));
  const consumer = { ...listening, events };
  const factory = () => ({ ...service, consumers: [consumer] });
  const load = async (name: string, text: string) => {
    await write(name, text);
    return loadService(factory, main, join(root, "hooks", name));
  };
  await expect(
    load("good.mjs", "export default { start() {}, async onUserCreated() {} };"),
  ).resolves.toBeDefined();
  await expect(
    load("class.mjs", "class Hooks { async onUserDeleted() {} } export default new Hooks();"),
  ).resolves.toBeDefined();
  await expect(
    load("bad.mjs", "export default { async onUserCraeted() {}, onUserDeleted: 5, other() {} };"),
  ).rejects.toThrow(
    /onUserCraeted fits no event and no rule of this service; did you mean onUserCreated\?\n {2}onUserDeleted is a number, not a function\n {2}other fits no event/,
  );
  await expect(load("method.mjs", "export default new (class { onUserDelete() {} })();")).rejects.toThrow(
    "did you mean onUserDeleted?",
  );
  await expect(load("name.mjs", "export const fileStoreHook = {};")).rejects.toThrow(
    'is its export "fileStoreHook" meant to be that?',
  );
});

test("the hooks of a named consumer are one object under its name, held to the same", async () => {
  const service = await defineService();
  const event = eventDefinition({ name: "UserCreated", action: "created", change: "none" });
  const mailer = { ...listening, events: [{ event }], durable: "d2", name: "mailer" };
  const factory = () => ({ ...service, consumers: [{ ...listening, events: [] }, mailer] });
  const load = async (name: string, text: string) => {
    await write(name, text);
    return loadService(factory, main, join(root, "hooks", name));
  };
  await expect(
    load("named.mjs", "export default { onEvent() {}, mailer: { onUserCreated() {}, onEvent() {} } };"),
  ).resolves.toBeDefined();
  await expect(load("flat.mjs", "export default { onUserCreated() {} };")).rejects.toThrow(
    "onUserCreated fits no event",
  );
  await expect(load("called.mjs", "export default { mailer() {} };")).rejects.toThrow(
    "mailer is a function, not an object with the hooks of that consumer",
  );
  await expect(load("misspelt.mjs", "export default { mailer: { onUserCraeted() {} } };")).rejects.toThrow(
    "mailer.onUserCraeted fits no event and no rule of this service; did you mean onUserCreated?",
  );
  await expect(load("mailers.mjs", "export default { mailr: { onUserCreated() {} } };")).rejects.toThrow(
    "did you mean mailer?",
  );
});

test.each(["valueOf", "toString", "constructor"])(
  "a step called %s is none for being found on every object",
  async (name) => {
    const definition = await defineService();
    const event = (hooks: object) => ({
      event: eventDefinition({ name: "CustomerDeleted", action: "deleted", change: "delete" }),
      cascades: [
        {
          action: "delete" as const,
          table: { name: "orders", key: "id", columns: [] },
          column: "customer_id",
          before: { name, call: Reflect.get(hooks, name) },
        },
      ],
    });
    const [consumer] =
      definition.consumers.length > 0 ? definition.consumers : [{ entity: "shop.customer" } as never];
    const withHooks = (hooks: object) => ({
      ...definition,
      consumers: [{ ...consumer, events: [event(hooks)] }],
    });
    expect(() => requireHooks(withHooks({}) as never)).toThrow(name);
    requireHooks(withHooks({ [name]: async () => undefined }) as never);
  },
);

test("a service whose name ends in a sign has an export that can be written", async () => {
  main = pathToFileURL(join(root, "generated", "file-store-", "main.js")).href;
  await writeFile(join(root, "hooks", "file-store-.mjs"), "export const fileStoreHooks = { a: 1 };");
  expect((await loadHooks(main, join(root, "hooks", "file-store-.mjs"))).hooks).toEqual({ a: 1 });
});
