import { expect, test } from "vitest";
import type { HookReads } from "../../../generator/flow/hook-reads.js";
import { readHooks } from "../../../generator/hook-reads/read-hooks.js";
import { compile, readMesh } from "../../support/compile.js";

/* Which fields a hook reads, as TypeScript's own names tell. */

const reference = compile(readMesh());

/** What `onUserUpdated` of SFS reads. */
function readsOf(hooks: string, others: Readonly<Record<string, string>> = {}): unknown {
  return read({ "hooks/sfs.ts": hooks, ...others }).find({
    service: "sfs",
    consumer: undefined,
    name: "onUserUpdated",
  })?.reads;
}

function read(texts: Readonly<Record<string, string>>, mesh = reference): HookReads {
  const paths = new Map(
    mesh.services.map(({ name }) => [name, `hooks/${name}.ts`] as const).filter(([, path]) => path in texts),
  );
  return readHooks(mesh, { paths, files: { read: (path) => texts[path] } });
}

const hook = (parameter: string, body: string) =>
  `export const sfsHooks: SfsHooks = { async onUserUpdated(${parameter}) { ${body} } };`;

test.each([
  ["a member", hook("{ event }", "save(event.username);"), ["username"]],
  ["a member by its text", hook("{ event }", 'save(event["username"]);'), ["username"]],
  [
    "members within a pattern",
    hook("{ event: { username, user_id: id } }", "save(id, username);"),
    ["username", "user_id"],
  ],
  [
    "a pattern in the body",
    hook("context", "const { event: { username } } = context; save(username);"),
    ["username"],
  ],
  [
    "another name for the event",
    hook("{ event: user }", "const other = user; save(other!.username);"),
    ["username"],
  ],
  ["a member of the envelope", hook("{ event }", "save(event.metadata.entity_id);"), ["metadata.entity_id"]],
  ["the text of a member", hook("{ event }", "save(event.username.toLowerCase().length);"), ["username"]],
  ["nothing, though a pattern names it", hook("{ event: { username } }", "save();"), []],
  ["nothing of the event", hook("{ tx, subject }", "tx.query(subject);"), []],
  ["no parameter at all", hook("", ""), []],
  ["a type of the event alone", hook("{ event }", "const none: typeof event | undefined = undefined;"), []],
  [
    "another variable of the same name",
    hook(
      "{ event }",
      "{ const event = { display_name: 1 }; save(event.display_name); } save(event.user_id);",
    ),
    ["user_id"],
  ],
] as const)("a hook that reads %s", (_, text, expected) => {
  expect(readsOf(text)).toEqual(expected);
});

test.each([
  ["it is passed on", hook("{ event }", "save(event);")],
  ["it is printed", hook("{ event }", "save(JSON.stringify(event));")],
  ["it is spread", hook("{ event }", "save({ ...event });")],
  ["it stands in an object", hook("{ event }", "save({ event });")],
  ["its members are chosen at run time", hook("{ event }", "for (const name of names) save(event[name]);")],
  ["the rest of it is taken", hook("{ event: { username, ...rest } }", "save(rest);")],
  ["its context is passed on", hook("context", "save(context);")],
  [
    "the hook is not to be seen",
    'import { made } from "a-package"; export const sfsHooks = { onUserUpdated: made };',
  ],
] as const)("a hook may read all where %s", (_, text) => {
  expect(readsOf(text)).toBe("all");
});

test.each([
  [
    "a function of the file",
    `${hook("{ event }", "await keep(event);")} async function keep({ username }) { save(username); }`,
    {},
  ],
  [
    "a function of another file",
    `import { keep } from "./keep.js"; ${hook("{ event, tx }", "await keep(tx, event);")}`,
    { "hooks/keep.ts": "export const keep = async (tx, user) => tx.query(user.username);" },
  ],
  [
    "a function that calls itself",
    `${hook("{ event }", "walk(event);")} function walk(user) { save(user.username); walk(user); }`,
    {},
  ],
  [
    "a handler by its name",
    "const onUserUpdated = async ({ event }) => save(event.username); export const sfsHooks = { onUserUpdated };",
    {},
  ],
  [
    "a handler of another file",
    'import { update } from "./update.js"; export const sfsHooks = { onUserUpdated: update };',
    { "hooks/update.ts": "export async function update({ event }) { save(event.username); }" },
  ],
  [
    "a wrapper",
    "export const sfsHooks = { onUserUpdated: timed(async ({ event }) => save(event.username)) };",
    {},
  ],
  [
    "a function that makes the hooks",
    "function create() { const cache = new Map(); return { async onUserUpdated({ event }) { cache.get(event.username); } }; } export const sfsHooks = create();",
    {},
  ],
  [
    "a default export",
    "export default { onUserUpdated: async ({ event }) => save(event.username) } satisfies SfsHooks;",
    {},
  ],
  [
    "parts that are spread",
    "const users = { async onUserUpdated({ event }) { save(event.username); } }; export const sfsHooks = { ...users };",
    {},
  ],
  [
    "a class",
    "class Hooks { async onUserUpdated({ event }) { save(event.username); } } export const sfsHooks = new Hooks();",
    {},
  ],
] as const)("fields are found through %s", (_, text, others) => {
  expect(readsOf(text, others)).toEqual(["username"]);
});

test("a step before a cascade tells which columns of the row it reads", () => {
  const { at, reads } =
    read({
      "hooks/compute.ts":
        "export const computeHooks = {\n  async deleteContainerNamespace({ row: { namespace }, logger }) { logger.info({ namespace }); },\n};",
    }).find({ service: "compute", consumer: undefined, name: "deleteContainerNamespace" }) ?? {};
  expect({ at, reads }).toEqual({ at: { file: "hooks/compute.ts", line: 2 }, reads: ["namespace"] });
});

test("a hook tells which events it publishes by hand, also by another function or name", () => {
  const hooks = read({
    "hooks/sfs.ts": `import { sfsPublisher as publisher } from "../generated/sfs/publisher.js";
export const sfsHooks = {
  async onUserCreated({ event, tx }) { await publisher.fileUploaded(tx, event.user_id, {}); },
  async onUserUpdated({ event, tx }) { await tell(tx, event.user_id); },
  async onUserDeleted({ tx }) { await other.fileUploaded(tx); },
};
const tell = (tx, id) => publisher.namespaceUpdated(tx, id, {});`,
  });
  const told = (name: string) => hooks.find({ service: "sfs", consumer: undefined, name })?.tells;
  expect(["onUserCreated", "onUserUpdated", "onUserDeleted"].map(told)).toEqual([
    ["FileUploaded"],
    ["NamespaceUpdated"],
    [],
  ]);
});

test("hooks of a named consumer stand under its name", () => {
  const mesh = compile(readMesh("test/scenarios/emit/named-consumers/mesh.yaml"));
  const service = mesh.services.find(({ consumers }) => consumers.some(({ name }) => name !== undefined));
  const consumer = service?.consumers.find(({ name }) => name !== undefined);
  const event = mesh.events.find(({ name }) => name === consumer?.events[0]);
  if (service === undefined || consumer?.name === undefined || event === undefined) throw new Error("none");
  const text = `export default { ${event.names.hook}({ event }) { all(event); }, "${consumer.name}": { async ${event.names.hook}({ event }) {} } };`;
  const found = read({ [`hooks/${service.name}.ts`]: text }, mesh).find({
    service: service.name,
    consumer: consumer.name,
    name: event.names.hook,
  });
  expect(found?.reads).toEqual([]);
});

test("a file that does not compile is named with its line, and no other is in doubt", () => {
  const hooks = read({
    "hooks/sfs.ts": "export const sfsHooks = {\n  async onUserUpdated({ event }) { save(event. },\n};",
    "hooks/compute.ts":
      "export const computeHooks = { async onUserUpdated({ event }) { save(event.username); } };",
  });
  expect(hooks.remarks).toEqual([
    { service: "sfs", file: "hooks/sfs.ts", line: 2, reason: "it does not compile: Identifier expected." },
  ]);
  expect(hooks.find({ service: "compute", consumer: undefined, name: "onUserUpdated" })?.reads).toEqual([
    "username",
  ]);
});

test("hooks that come from elsewhere are said to be unknown", () => {
  expect(read({ "hooks/sfs.ts": 'export { sfsHooks } from "a-package";' }).remarks).toMatchObject([
    { service: "sfs", reason: 'how "sfsHooks" is made is not to be seen from the file' },
  ]);
});

/** What `onUserUpdated` of SFS does by SQL of its own: `update files (name)`, and whether that is all. */
function writesOf(hooks: string, others: Readonly<Record<string, string>> = {}): readonly string[] {
  const found = read({ "hooks/sfs.ts": hooks, ...others }).find({
    service: "sfs",
    consumer: undefined,
    name: "onUserUpdated",
  });
  const { tables, isWhole } = found?.runs() ?? { tables: [], isWhole: true };
  const said = tables.map(({ schema, name, how, columns }) =>
    [how, [...(schema === undefined ? [] : [schema]), name].join("."), ...columns].join(" "),
  );
  return [...said, ...(isWhole ? [] : ["more"])];
}

test.each([
  ["a text", "await tx.query('DELETE FROM files WHERE owner_id = $1', [1]);", ["delete files"]],
  [
    "a template without expressions",
    "await tx.query(`UPDATE files AS f SET name = $1, size = $2::numeric WHERE f.id = ANY ($3::text[])`);",
    ["update files name size"],
  ],
  [
    "an insertion that may update",
    'await tx.query("INSERT INTO public.files (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET name = excluded.name");',
    ["insert public.files", "update public.files name"],
  ],
  [
    "statements within WITH",
    'await tx.query("WITH gone AS (DELETE FROM parts RETURNING id) INSERT INTO lost SELECT id FROM gone");',
    ["delete parts", "insert lost", "read gone"],
  ],
  ["a sum of texts", "await tx.query('DELETE ' + ('FROM ' + 'files'));", ["delete files"]],
  ["a query that reads", 'await tx.query("SELECT name FROM files FOR UPDATE");', ["read files"]],
  ["its own publisher", "await sfsPublisher.fileUploaded(tx, event.user_id, {});", []],
  ["a text that is made at run time", "await tx.query(`DELETE FROM $" + "{name}`);", ["more"]],
  ["what is no SQL", 'await tx.query("DELETE files");', ["more"]],
  ["a transaction that a package gets", "await repository.save(tx, event);", ["more"]],
  [
    "both",
    "await tx.query('DELETE FROM files'); await context.repository(context.tx);",
    ["delete files", "more"],
  ],
] as const)("a hook's own SQL is followed: %s", (_, body, expected) => {
  expect(writesOf(hook("{ event, tx }", body))).toEqual(expected);
});

test("a hook's own SQL is followed into functions and constants of the project", () => {
  expect(
    writesOf(`import { keep } from "./keep.js"; ${hook("{ event, tx }", "await keep(tx, event);")}`, {
      "hooks/keep.ts":
        "const KEEP = `INSERT INTO files (id) VALUES ($1)`; export const keep = async (client, user) => client.query(KEEP, [user.id]);",
    }),
  ).toEqual(["insert files"]);
});
