import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { METRICS } from "../../../runtime/telemetry/metric-table.js";
import { compile, readMesh } from "../../support/compile.js";
import { emitAll } from "../../support/emitted-files.js";
import { findPrometheus, parsePromql, rulesOf } from "../../support/firing-alerts.js";

const emit = async (path: string) => await emitAll(compile(readMesh(path)));

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly expr: string }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string; readonly thresholds?: object } };
}

const MEASURED = [
  "mesh_batch_duration_seconds",
  "mesh_delivery_delay_seconds",
  "http_server_request_duration_seconds",
];
const ofProcess = /^(nodejs|process)_/;

/** Grafana fills in its variables before Prometheus sees the expression. */
function metricsOf(expression: string): readonly string[] {
  const filled = expression.replaceAll("$__rate_interval", "5m");
  return parsePromql(filled)
    .filter(([node]) => node === "Identifier")
    .map(([, name]) => name.replace(/_(bucket|count|sum)$/, ""));
}

function expectKnown(names: readonly string[]): void {
  const known = new Set([...METRICS.map(({ name }) => name), ...MEASURED]);
  expect(names.filter((name) => !known.has(name) && !ofProcess.test(name))).toEqual([]);
}

test.each([
  "mesh.yaml",
  "test/scenarios/emit/without-database/mesh.yaml",
  "test/scenarios/emit/delivery-and-streams/mesh.yaml",
])("alert rules and dashboard of %s are PromQL over metrics that services have", async (path) => {
  const files = await emit(path);
  const rules = rulesOf(files["monitoring/alerts.yml"] ?? "");
  expect(rules.length).toBeGreaterThan(5);
  expectKnown(rules.flatMap(({ expr }) => metricsOf(expr)));
  const { panels } = JSON.parse(files["monitoring/dashboard.json"] ?? "") as { panels: readonly Panel[] };
  expectKnown(panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => metricsOf(expr))));
});

test("every panel of the dashboard has a title, a unit, thresholds and a place of its own", async () => {
  const files = await emit("mesh.yaml");
  const { panels } = JSON.parse(files["monitoring/dashboard.json"] ?? "") as { panels: readonly Panel[] };
  const taken = new Set<string>();
  for (const { title, type, gridPos, fieldConfig, targets = [] } of panels) {
    expect(title).not.toBe("");
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(x, title).toBeLessThan(24);
        expect(taken, `${title} at ${x}, ${y}`).not.toContain(`${x} ${y}`);
        taken.add(`${x} ${y}`);
      }
    if (type === "row") continue;
    expect(targets.length, title).toBeGreaterThan(0);
    expect(fieldConfig?.defaults.unit, title).toBeDefined();
    expect(fieldConfig?.defaults.thresholds, title).toBeDefined();
  }
});

test("the limits of alerts are those of the mesh: deliveries, retention, tombstones, snapshots", async () => {
  const files = await emit("test/scenarios/emit/delivery-and-streams/mesh.yaml");
  const expressions = rulesOf(files["monitoring/alerts.yml"] ?? "").map(({ expr }) => expr);
  const limits = (metric: string) =>
    expressions
      .filter((expression) => expression.startsWith(metric))
      .map((expression) => Number(expression.split("> ")[1]));
  // ack_wait 20 s and the back-offs of ten attempts, of fifty; half of max_age.
  expect(limits("mesh_consumer_lag_seconds")).toEqual([102, 43_200, 2_960, 43_200]);
  expect(limits("mesh_consumer_lag_messages")).toEqual([25_000, 25_000]);
});

test.skipIf(findPrometheus("promtool") === undefined)(
  "promtool takes alerts.yml and prometheus.yml",
  async () => {
    const files = await emit("mesh.yaml");
    const folder = mkdtempSync(join(tmpdir(), "mesh-promtool-"));
    try {
      for (const name of ["alerts.yml", "prometheus.yml"])
        writeFileSync(join(folder, name), files[`monitoring/${name}`] ?? "");
      const promtool = findPrometheus("promtool") ?? "";
      execFileSync(promtool, ["check", "rules", "--lint=all", "--lint-fatal", join(folder, "alerts.yml")]);
      execFileSync(promtool, ["check", "config", "--syntax-only", join(folder, "prometheus.yml")]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test("durables carry the same limit of waiting messages in plan.json, for nats server check", async () => {
  const files = await emit("mesh.yaml");
  const { consumers } = JSON.parse(files["plan.json"] ?? "") as {
    readonly consumers: readonly {
      readonly config: { readonly durable_name: string; readonly metadata?: Record<string, string> };
    }[];
  };
  const alerts = rulesOf(files["monitoring/alerts.yml"] ?? "").map(({ expr }) => expr);
  expect(consumers.length).toBeGreaterThan(0);
  for (const { config } of consumers) {
    const limit = config.metadata?.["io.nats.monitor.unprocessed-critical"];
    expect(alerts).toContain(`mesh_consumer_lag_messages{consumer="${config.durable_name}"} > ${limit}`);
    expect(config.metadata?.["io.nats.monitor.enabled"]).toBe("true");
  }
});

test("a mesh whose services are all external has no monitoring, and no link to it", async () => {
  const text = `mesh: outside
services: { auth: { external: true, publishes: [auth.user.*] } }
subjects:
  auth.user.{id}.created: { event: UserCreated, payload: { user_id: string } }
`;
  const files = await emitAll(compile(text));
  expect(Object.keys(files).filter((path) => path.startsWith("monitoring/"))).toEqual([]);
  expect(files["README.md"]).not.toContain("monitoring");
  expect((await emit("mesh.yaml"))["README.md"]).toContain("[monitoring](monitoring)");
});
