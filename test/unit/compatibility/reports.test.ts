import { describe, expect, test } from "vitest";
import { FAILING } from "../../../generator/compatibility/change-class.js";
import { compareMeshes } from "../../../generator/compatibility/compare-meshes.js";
import { annotateChange, changeRules } from "../../../generator/compatibility/report/annotate-change.js";
import { diffToJson } from "../../../generator/compatibility/report/diff-json.js";
import { diffToMarkdown } from "../../../generator/compatibility/report/diff-markdown.js";
import { noDiffPaint, renderDiff, renderShort } from "../../../generator/compatibility/report/diff-text.js";
import { type DiffReport, placeChanges } from "../../../generator/compatibility/report/placed-changes.js";
import { compileMesh } from "../../../generator/compile.js";
import { toSarif, toWorkflowCommands } from "../../../generator/diagnostics/annotation.js";
import type { HookReads } from "../../../generator/flow/hook-reads.js";
import type { Mesh } from "../../../generator/model/mesh.js";
import { templates } from "../../support/migrations.js";
import { sarifMistakes } from "../../support/sarif-schema.js";
import { bases } from "./bases.js";

/** An edit with something of every class, and texts that each form has to escape. */
const EDITED = bases.shop
  .replace('          rate: "numeric(10,2)"\n', "")
  .replace("urgent: { type: boolean, default: false }", "urgent: boolean")
  .replace("channel: { enum: [mail, post] }", "channel: { enum: [mail, post, '100%, <b>|`*::error'] }")
  .replace("port: 8082", "port: 9082")
  .replace("one_of: [open, paid, sent]", "one_of: [open, paid, sent, lost]");

function report(text: string = EDITED, base: keyof typeof bases = "shop"): DiffReport {
  const [before, next] = [
    compileMesh(bases[base], { file: "main:mesh.yaml" }),
    compileMesh(text, { file: "mesh.yaml" }),
  ];
  const diff = compareMeshes(before.mesh as Mesh, next.mesh as Mesh, { templates });
  const changes = placeChanges(diff, next.placeAt, before.placeAt);
  return { against: "main", ...diff, changes, failOn: FAILING };
}

const sarifOf = ({ changes }: DiffReport) =>
  toSarif(changes.map(annotateChange), { version: "1.2.3", rules: changeRules(changes) });
const githubOf = ({ changes }: Pick<DiffReport, "changes">) =>
  toWorkflowCommands(changes.map(annotateChange));

describe("mesh diff as text", () => {
  const textOf = (from: string, to: string) =>
    renderDiff(report(bases.railway.replace(from, to), "railway"), noDiffPaint);

  test("says of another key all that runs for it, in order, with the locks", () => {
    const text = textOf("key: [train_id, coach, seat]", "key: [train_id, coach, label]");
    expect(text.slice(text.indexOf("    sql"), text.indexOf("    deploy"))).toMatchInlineSnapshot(`
      "    sql     booking_db: LOCK TABLE seats IN ACCESS EXCLUSIVE MODE; DO … -- refuses while a "before" hook has rows of it to do
                    ACCESS EXCLUSIVE on seats for a moment
                  booking_db: ALTER TABLE seats DROP CONSTRAINT seats_pkey;
                    ACCESS EXCLUSIVE on seats for a moment
                  booking_db: ALTER TABLE seats ADD CONSTRAINT seats_pkey PRIMARY KEY (train_id, coach, label);
                    ACCESS EXCLUSIVE on seats while every row is read: everybody waits
      "
    `);
    expect(text).not.toContain("what else runs");
  });

  test("says of a service that goes when it is stopped", () => {
    const text = textOf("  board:\n    subscribes: [network.train.*]\n", "");
    expect(text.slice(text.indexOf("    for"))).toMatchInlineSnapshot(`
      "    for     board (the service itself)
          deploy  in any order
                    stop board, then delete its durables; what else it leaves stays until somebody removes it"
    `);
  });

  test("says worst first what changed, where, for whom, what runs and locks, who deploys first and what to do instead", () => {
    const text = renderDiff(report(), noDiffPaint);
    expect(text).toMatchInlineSnapshot(`
      "5 changes against main: 1 destructive, 1 breaking-publisher, 1 breaking-consumer, 1 operational, 1 compatible

      destructive Rows, values, or the identity of rows go, and nobody can bring them back; or the migration fails on values that do not fit.
        main:mesh.yaml:41:11 shop_db: orders.rate goes column-dropped
          for     shop (its running replicas; /orders: HTTP clients that read it), desk (/orders: takes snapshots from it)
          sql     shop_db: ALTER TABLE orders DROP COLUMN rate;
                    ACCESS EXCLUSIVE on orders for a moment
          deploy  owner first, 2 releases
                    release 1: shop no longer uses it (null: true, or a default)
                    release 2: drop it, with --allow-destructive
          instead if it has a new name, say renamed_from on the new column; else release a version first that no longer uses it

      breaking-publisher The owner's own release of before fails beside it: its running replicas, the service written by hand, the code that publishes.
        mesh.yaml:72:11 desk_db: tickets.urgent must be given, and had a default column-required
          for     desk (its running replicas; /tickets: HTTP clients that write to it)
          sql     desk_db: ALTER TABLE tickets ALTER COLUMN urgent DROP DEFAULT;
                    ACCESS EXCLUSIVE on tickets for a moment
          deploy  owner first, 2 releases
                    release 1: desk writes only rows that fit, and those that do not are settled
                    release 2: demand it
          instead keep the default until every writer gives a value

      breaking-consumer Who hears or reads the service fails, or is told something else: subscribers and their copies, HTTP clients.
        mesh.yaml:94:7 OrderReminded: channel no longer demands enum ["mail","post"] field-widened
          for     desk (hears it; its hooks may read the field), mailer (hears it; its hooks may read the field)
          deploy  consumers first
                    deploy desk, mailer to the last replica, then shop

      operational Every release works on, where whoever deploys minds something: an order, a lock, a variable, a time.
        mesh.yaml:16:13 desk listens on 9082, no longer on 8082 port-changed
          for     desk (the service itself, and HTTP clients of it)
          deploy  configuration first
                    bring the broker, variables and roles up to date (mesh provision, generated/), then deploy

      compatible Every release works on, in whatever order they come.
        mesh.yaml:36:47 shop_db: orders.state takes lost as well values-widened
          sql     shop_db: ALTER TABLE orders DROP CONSTRAINT orders_state_check;
                    ACCESS EXCLUSIVE on orders for a moment
                  shop_db: ALTER TABLE orders ADD CONSTRAINT orders_state_check CHECK (state IN ('open', 'paid', 'sent', 'lost')) NOT
                      VALID;
                    ACCESS EXCLUSIVE on orders for a moment
                  shop_db: ALTER TABLE orders VALIDATE CONSTRAINT orders_state_check;
                    SHARE UPDATE EXCLUSIVE on orders beside traffic

      all of it deployed together
        release 1: bring the broker, variables and roles up to date (mesh provision, generated/), then deploy: desk listens on 9082, no longer on 8082
        release 1: shop no longer uses it (null: true, or a default): shop_db: orders.rate goes
        release 1: desk writes only rows that fit, and those that do not are settled: desk_db: tickets.urgent must be given, and had a default
        release 1: deploy desk, mailer, then shop
        release 2: drop it, with --allow-destructive: shop_db: orders.rate goes
        release 2: demand it: desk_db: tickets.urgent must be given, and had a default"
    `);
  });

  test("says in one line that nothing changed", () => {
    expect(renderDiff(report(`# A comment.\n${bases.shop}`), noDiffPaint)).toBe("no change against main");
  });

  test("is short after generating, and leaves out what asks for no care", () => {
    expect(renderShort(report().changes, noDiffPaint)).toMatchInlineSnapshot(`
      [
        "  destructive mesh.yaml:33:9 shop_db: orders.rate goes (shop, desk: owner first, 2 releases)",
        "  breaking-publisher mesh.yaml:72:11 desk_db: tickets.urgent must be given, and had a default (desk: owner first, 2 releases)",
        "  breaking-consumer mesh.yaml:94:7 OrderReminded: channel no longer demands enum ["mail","post"] (desk, mailer: consumers first)",
        "  operational mesh.yaml:16:13 desk listens on 9082, no longer on 8082 (desk: configuration first)",
        "  mesh diff says what runs, what it locks and what to do instead",
      ]
    `);
    expect(renderShort(report(bases.shop).changes, noDiffPaint)).toEqual([]);
  });
});

test("a thing that is gone has its place in the older file, and the nearest one in the newer", () => {
  const gone = report().changes.find(({ kind }) => kind === "column-dropped");
  expect(gone?.formerPlace).toMatchObject({ file: "main:mesh.yaml", start: { line: 41, column: 11 } });
  expect(gone?.place.file).toBe("mesh.yaml");
  expect(bases.shop.split("\n")[40]).toContain("rate:");
});

test("a cascade, a subscription and a list's entry are found where they stand", () => {
  const text = bases.shop
    .replace(
      "  - { on: shop.customer.deleted, service: desk, set_null",
      "  - { on: shop.customer.deleted, service: desk, delete",
    )
    .replace("subscribes: [shop.order.*]", "subscribes: [shop.order.*, shop.customer.*]");
  const places = report(text).changes.map(({ kind, place }) => [
    kind,
    text.split("\n")[place.start.line - 1]?.slice(place.start.column - 1),
  ]);
  expect(places).toEqual([
    ["cascade-deletes", "{ on: shop.customer.deleted, service: desk, delete: tickets.customer_id }"],
    ["subscription-added", "shop.customer.*]"],
  ]);
});

test("hooks that read a field are named, with the line of the project's code", () => {
  const [before, next] = [
    bases.shop,
    bases.shop.replace("channel: { enum: [mail, post] }", "channel: string"),
  ].map((text) => compileMesh(text, { file: "mesh.yaml" }).mesh as Mesh) as [Mesh, Mesh];
  const hooks: HookReads = {
    remarks: [],
    find: ({ service, name }) =>
      service === "mailer" && name === "onOrderReminded"
        ? {
            at: { file: "hooks/mailer.ts", line: 7 },
            reads: ["channel"],
            tells: [],
            runs: () => ({ tables: [], isWhole: true }),
          }
        : undefined,
  };
  const concerns = (known: HookReads) =>
    compareMeshes(before, next, { templates, hooks: known }).changes.flatMap((change) => change.concerns);
  expect(concerns(hooks)).toEqual([
    { service: "desk", as: "hears it; no hook of it reads the field now" },
    { service: "mailer", field: "onOrderReminded (hooks/mailer.ts:7)", as: "reads it" },
  ]);
  const broken = {
    ...hooks,
    remarks: [{ service: "mailer", file: "hooks/mailer.ts", line: 1, reason: "it does not compile" }],
  };
  expect(concerns(broken)[1]).toEqual({ service: "mailer", as: "hears it; its hooks may read the field" });
});

test("JSON has everything that the text says", () => {
  const json = JSON.parse(JSON.stringify(diffToJson(report())));
  expect(Object.keys(json)).toEqual([
    "against",
    "fails",
    "failOn",
    "counts",
    "changes",
    "rollout",
    "breaks",
    "statements",
  ]);
  expect(json).toMatchObject({
    against: "main",
    fails: true,
    counts: {
      destructive: 1,
      "breaking-publisher": 1,
      "breaking-consumer": 1,
      operational: 1,
      compatible: 1,
    },
  });
  expect(json.changes[0]).toMatchInlineSnapshot(`
    {
      "also": [],
      "class": "destructive",
      "deployment": {
        "first": "owner",
        "releases": 2,
        "steps": [
          "release 1: shop no longer uses it (null: true, or a default)",
          "release 2: drop it, with --allow-destructive",
        ],
      },
      "end": {
        "column": 16,
        "line": 33,
      },
      "file": "mesh.yaml",
      "for": [
        {
          "as": "its running replicas",
          "service": "shop",
        },
        {
          "as": "takes snapshots from it",
          "field": "/orders",
          "service": "desk",
        },
        {
          "as": "HTTP clients that read it",
          "field": "/orders",
          "service": "shop",
        },
      ],
      "former": {
        "end": {
          "column": 15,
          "line": 41,
        },
        "file": "main:mesh.yaml",
        "start": {
          "column": 11,
          "line": 41,
        },
      },
      "kind": "column-dropped",
      "message": "shop_db: orders.rate goes",
      "safe": "if it has a new name, say renamed_from on the new column; else release a version first that no longer uses it",
      "sql": [
        {
          "database": "shop_db",
          "lock": {
            "mode": "ACCESS EXCLUSIVE",
            "rows": "untouched",
            "tables": [
              "orders",
            ],
            "waits": "a moment",
          },
          "sql": "ALTER TABLE orders DROP COLUMN rate;",
        },
      ],
      "start": {
        "column": 9,
        "line": 33,
      },
      "why": "Its values go with it. A release of before that still runs fails.",
    }
  `);
});

test("SARIF is what its schema says", () => {
  for (const text of [EDITED, bases.shop]) expect(sarifMistakes(sarifOf(report(text)))).toEqual([]);
  expect(sarifMistakes({ version: "2.1.0", runs: [{ results: [] }] })).not.toEqual([]);
  const [{ results, tool }] = sarifOf(report()).runs as never as [
    { results: { ruleId: string; ruleIndex: number }[]; tool: { driver: { rules: { id: string }[] } } },
  ];
  for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
});

describe("annotations of a GitHub workflow", () => {
  test("are one line each, whatever is in them", () => {
    const lines = githubOf(report()).split("\n");
    expect(lines).toHaveLength(5);
    for (const line of lines)
      expect(line).toMatch(
        /^::(error|warning|notice) file=mesh\.yaml,line=\d+,col=\d+,endLine=\d+,endColumn=\d+,title=[\w-]+%3A [\w-]+::/,
      );
    const widened = lines.find((line) => line.includes("field-widened"));
    expect(widened).toContain("OrderReminded: channel no longer demands");
    expect(widened).toContain("%0AFor: ");
  });

  test("escape what would end a command or a property", () => {
    const change = {
      ...(report().changes[0] as DiffReport["changes"][number]),
      message: "100% \r\n::error::x",
      subject: undefined,
    };
    const place = { ...change.place, file: "a,b:c%.yaml" };
    const line = githubOf({ changes: [{ ...change, place }] });
    expect(line).toMatch(/^::error file=a%2Cb%3Ac%25\.yaml,/);
    expect(line).toContain("::100%25 %0D%0A::error::x");
    expect(line.split("\n")).toHaveLength(1);
  });
});

test("the comment for a pull request escapes what Markdown would take for its own", () => {
  const markdown = diffToMarkdown(report());
  expect(markdown).toContain("### mesh.yaml against `main`");
  expect(markdown).toContain("```sql\n    ALTER TABLE orders DROP COLUMN rate;\n    ```");
  const change = report().changes[0] as DiffReport["changes"][number];
  const evil = {
    ...report(),
    against: "a`b",
    changes: [{ ...change, subject: undefined, message: "<img> @team #1 **x** |" }],
  };
  expect(diffToMarkdown(evil)).toContain("`` a`b ``");
  expect(diffToMarkdown(evil)).toContain("**&lt;img&gt; \\@team \\#1 \\*\\*x\\*\\* \\|**");
});
