import type { Dashboard, Panel, RowPanel, VariableModel } from "@grafana/grafana-foundation-sdk/dashboard";
import type { Dataquery } from "@grafana/grafana-foundation-sdk/prometheus";
import type { Options as StatOptions } from "@grafana/grafana-foundation-sdk/stat";
import type { FieldConfig, Options as TimeseriesOptions } from "@grafana/grafana-foundation-sdk/timeseries";
import { ownServices } from "../../model/own-services.js";
import { duration } from "../documents/units.js";
import type { Lookup } from "../lookup.js";
import type { Literal } from "../print/layout.js";
import { OUTBOX_SECONDS, type Tolerance, toleranceOf } from "./tolerances.js";

/*
 * dashboard.json: the mesh for Grafana, by Grafana's own types. Lines mark the tolerances at which alerts.yml speaks; where the
 * subscriptions have several, the lowest.
 */

/** As JSON has it: members of an enumeration are their values, and marks of TypeScript alone are left out. */
type Json<T> = 0 extends 1 & T
  ? T
  : T extends string
    ? `${T}`
    : T extends number
      ? number
      : T extends readonly (infer Item)[]
        ? readonly Json<Item>[]
        : T extends object
          ? { readonly [Key in keyof T as Key extends `_${string}` ? never : Key]: Json<T[Key]> }
          : T;

export function dashboardDocument(lookup: Lookup): Literal {
  const { mesh } = lookup;
  const dashboard: Json<Dashboard> = {
    uid: `mesh-${mesh.name}`.slice(0, 40),
    title: `Mesh ${mesh.name}`,
    description: "Made from mesh.yaml: what each service publishes, applies and waits for.",
    tags: ["meshwright"],
    timezone: "browser",
    editable: true,
    graphTooltip: 1,
    time: { from: "now-1h", to: "now" },
    refresh: "30s",
    schemaVersion: 39,
    templating: { list: variables(lookup) },
    annotations: { list: [] },
    panels: placed(sections(lookup)),
  };
  return dashboard as unknown as Literal;
}

function variables({ mesh }: Lookup): readonly Json<VariableModel>[] {
  const services = ownServices(mesh.services).map(({ name }) => name);
  const all = { text: "All", value: "$__all", selected: true };
  return [
    { type: "datasource", name: "source", label: "Prometheus", query: "prometheus" },
    {
      type: "custom",
      name: "service",
      label: "Service",
      query: services.join(","),
      options: [all, ...services.map((name) => ({ text: name, value: name, selected: false }))],
      current: all,
      includeAll: true,
      multi: true,
    },
  ];
}

interface Section {
  readonly title: string;
  readonly panels: readonly Drawn[];
}

/** A panel without its place. */
interface Drawn {
  readonly width: 4 | 6 | 8 | 12;
  readonly height: number;
  readonly panel: Json<Panel>;
}

const COLUMNS = 24;

/** Sections from top to bottom; within one, panels from left to right. */
function placed(all: readonly Section[]): readonly (Json<Panel> | Json<RowPanel>)[] {
  const panels: (Json<Panel> | Json<RowPanel>)[] = [];
  let y = 0;
  for (const { title, panels: drawn } of all) {
    panels.push({
      type: "row",
      id: panels.length + 1,
      title,
      collapsed: false,
      panels: [],
      gridPos: { h: 1, w: COLUMNS, x: 0, y },
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const { width, height: own, panel } of drawn) {
      if (x + width > COLUMNS) [x, y, height] = [0, y + height, 0];
      panels.push({ ...panel, id: panels.length + 1, gridPos: { h: own, w: width, x, y } });
      [x, height] = [x + width, Math.max(height, own)];
    }
    y += height;
  }
  return panels;
}

const SERVICES = 'service_name=~"$service"';

function sections(lookup: Lookup): readonly Section[] {
  const { services } = lookup.mesh;
  const own = ownServices(services);
  const tolerances = own.flatMap((service) =>
    service.consumers.map((consumer) => toleranceOf(service, consumer, lookup)),
  );
  return [
    { title: "At a glance", panels: glance(own.length, tolerances) },
    ...(tolerances.length === 0
      ? []
      : [{ title: "Copies and subscriptions", panels: subscriptions(tolerances) }]),
    { title: "Publishing", panels: publishing() },
    ...(tolerances.length === 0 ? [] : [{ title: "Healing", panels: healing(tolerances) }]),
    { title: "Requests and processes", panels: processes() },
  ];
}

function glance(services: number, tolerances: readonly Tolerance[]): readonly Drawn[] {
  const late = lowest(tolerances, ({ lateSeconds }) => lateSeconds);
  return [
    stat(
      "Services that serve",
      `count(max by (service_name) (mesh_serving{${SERVICES}}) == 1) or vector(0)`,
      {
        description: `Of ${services}.`,
        red: { below: services },
      },
    ),
    stat("Latest event that waits", `max(mesh_consumer_lag_seconds{${SERVICES}})`, {
      unit: "s",
      ...(late === undefined ? {} : { red: { from: late } }),
    }),
    stat("Dead letters", `sum(max by (service_name, consumer) (mesh_dead_letters{${SERVICES}}))`, {
      red: { from: 1 },
    }),
    stat("Oldest unpublished event", `max(mesh_outbox_oldest_seconds{${SERVICES}})`, {
      unit: "s",
      red: { from: OUTBOX_SECONDS },
    }),
    stat(
      "Out of reach: databases, brokers",
      `sum(1 - mesh_database_up{${SERVICES}}) + sum(1 - mesh_broker_up{${SERVICES}})`,
      {
        red: { from: 1 },
      },
    ),
    stat("Stalled consumers", `sum(max by (service_name, consumer) (mesh_consumer_stalled{${SERVICES}}))`, {
      red: { from: 1 },
    }),
  ];
}

function subscriptions(tolerances: readonly Tolerance[]): readonly Drawn[] {
  const late = lowest(tolerances, ({ lateSeconds }) => lateSeconds);
  const overrun = lowest(tolerances, ({ evictedMessages }) => evictedMessages);
  return [
    graph("How late", [[`max by (consumer) (mesh_consumer_lag_seconds{${SERVICES}})`, "{{consumer}}"]], {
      unit: "s",
      description: "Age of the oldest event that is not applied yet.",
      limit: late,
    }),
    graph(
      "How far behind",
      [[`max by (consumer) (mesh_consumer_lag_messages{${SERVICES}})`, "{{consumer}}"]],
      {
        unit: "short",
        description: "Messages that are not applied yet, over all replicas.",
        limit: overrun,
      },
    ),
    graph(
      "Age of copies",
      [[`min by (consumer, copy) (mesh_copy_age_seconds{${SERVICES}})`, "{{consumer}}: {{copy}}"]],
      {
        unit: "s",
        description:
          "Since the commit of the newest event in the copy, or its last snapshot. It grows while the owner is idle.",
      },
    ),
    graph(
      "Applied",
      [
        [
          `sum by (consumer) (rate(mesh_events_applied_total{${SERVICES}}[$__rate_interval]))`,
          "{{consumer}}",
        ],
        [
          `sum by (consumer) (rate(mesh_events_stale_total{${SERVICES}}[$__rate_interval]))`,
          "{{consumer}}, no news",
        ],
      ],
      { unit: "ops", description: "Events a second." },
    ),
    graph(
      "Batches, 99th percentile",
      [[quantile("mesh_batch_duration_seconds", "consumer"), "{{consumer}}"]],
      {
        unit: "s",
        description: "Time in which a batch was settled.",
      },
    ),
    graph(
      "From stream to copy, 99th percentile",
      [[quantile("mesh_delivery_delay_seconds", "consumer"), "{{consumer}}"]],
      {
        unit: "s",
        description: "Of the oldest message of each batch.",
      },
    ),
    graph(
      "Retries waiting",
      [[`max by (consumer) (mesh_consumer_retries_waiting{${SERVICES}})`, "{{consumer}}"]],
      {
        unit: "short",
        description: "Events that failed and are tried again.",
      },
    ),
    graph(
      "Dead letters",
      [
        [
          `max by (service_name, consumer) (mesh_dead_letters{${SERVICES}})`,
          "{{service_name}}: {{consumer}}",
        ],
      ],
      {
        unit: "short",
        description: "They wait for a person: mesh dlq list.",
        limit: 1,
      },
    ),
  ];
}

function publishing(): readonly Drawn[] {
  return [
    graph(
      "Waiting in outboxes",
      [[`max by (service_name) (mesh_outbox_messages{${SERVICES}})`, "{{service_name}}"]],
      {
        unit: "short",
        description: "Committed events that the stream has not acknowledged.",
      },
    ),
    graph(
      "Oldest event in outboxes",
      [[`max by (service_name) (mesh_outbox_oldest_seconds{${SERVICES}})`, "{{service_name}}"]],
      {
        unit: "s",
        limit: OUTBOX_SECONDS,
      },
    ),
    graph(
      "Published",
      [
        [
          `sum by (service_name) (rate(mesh_relay_published_total{${SERVICES}}[$__rate_interval]))`,
          "{{service_name}}",
        ],
        [
          `sum by (service_name) (rate(mesh_relay_retries_total{${SERVICES}}[$__rate_interval]))`,
          "{{service_name}}, again",
        ],
      ],
      { unit: "ops", description: "Events a second." },
    ),
    graph("Leaders", [[`sum by (service_name) (mesh_relay_leader{${SERVICES}})`, "{{service_name}}"]], {
      unit: "short",
      description: "Replicas that publish: one of each service that has events.",
    }),
  ];
}

function healing(tolerances: readonly Tolerance[]): readonly Drawn[] {
  const overdue = lowest(tolerances, ({ snapshotSeconds }) => snapshotSeconds);
  return [
    graph(
      "Age of snapshots",
      [[`min by (consumer) (mesh_snapshot_age_seconds{${SERVICES}})`, "{{consumer}}"]],
      {
        unit: "s",
        description: overdue === undefined ? undefined : `Late from ${duration(overdue)} on.`,
        limit: overdue,
      },
    ),
    graph(
      "Snapshots failed or wanted",
      [
        [`max by (consumer) (mesh_snapshot_failed{${SERVICES}})`, "{{consumer}} failed"],
        [`max by (consumer) (mesh_snapshot_wanted{${SERVICES}})`, "{{consumer}} wanted"],
        [`max by (consumer) (mesh_snapshot_unfit_rows{${SERVICES}})`, "{{consumer}} unfit rows"],
      ],
      { unit: "short", limit: 1 },
    ),
    graph(
      "Cascade tasks",
      [[`max by (service_name, state) (mesh_cascade_tasks{${SERVICES}})`, "{{service_name}} {{state}}"]],
      {
        unit: "short",
        description: "Rows that wait for their before hook.",
      },
    ),
  ];
}

function processes(): readonly Drawn[] {
  return [
    graph(
      "Requests",
      [
        [
          `sum by (service_name, http_response_status_code) (rate(http_server_request_duration_seconds_count{${SERVICES}}[$__rate_interval]))`,
          "{{service_name}} {{http_response_status_code}}",
        ],
      ],
      { unit: "reqps" },
    ),
    graph(
      "Requests, 99th percentile",
      [
        [
          quantile("http_server_request_duration_seconds", "service_name, http_route"),
          "{{service_name}} {{http_route}}",
        ],
      ],
      {
        unit: "s",
      },
    ),
    graph(
      "Event loop, 99th percentile",
      [[`max by (service_name) (nodejs_eventloop_lag_p99_seconds{${SERVICES}})`, "{{service_name}}"]],
      {
        unit: "s",
      },
    ),
    graph(
      "Memory",
      [[`max by (service_name) (process_resident_memory_bytes{${SERVICES}})`, "{{service_name}}"]],
      {
        unit: "bytes",
      },
    ),
    graph(
      "Connections",
      [
        [
          `sum by (service_name, pool) (mesh_pool_connections{${SERVICES}, state="busy"})`,
          "{{service_name}} {{pool}}",
        ],
        [
          `sum by (service_name, pool) (mesh_pool_waiting{${SERVICES}})`,
          "{{service_name}} {{pool}}, waiting",
        ],
      ],
      { unit: "short" },
    ),
  ];
}

function quantile(histogram: string, by: string): string {
  return `histogram_quantile(0.99, sum by (le, ${by}) (rate(${histogram}_bucket{${SERVICES}}[$__rate_interval])))`;
}

/** The lowest limit; undefined where none has any. */
function lowest(
  tolerances: readonly Tolerance[],
  of: (tolerance: Tolerance) => number | undefined,
): number | undefined {
  const limits = tolerances.flatMap((tolerance) => of(tolerance) ?? []);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

const DATASOURCE = { type: "prometheus", uid: "$source" };

type Query = readonly [expr: string, legend: string];

function targets(queries: readonly Query[], instant: boolean): readonly Json<Dataquery>[] {
  return queries.map(([expr, legendFormat], at) => ({
    refId: String.fromCharCode("A".charCodeAt(0) + at),
    expr,
    legendFormat,
    instant,
    range: !instant,
    datasource: DATASOURCE,
  }));
}

interface GraphOptions {
  readonly unit: string;
  readonly description?: string | undefined;
  /** Drawn as a line. */
  readonly limit?: number | undefined;
}

function graph(title: string, queries: readonly Query[], { unit, description, limit }: GraphOptions): Drawn {
  const options: Json<TimeseriesOptions> = {
    legend: { displayMode: "list", placement: "bottom", showLegend: true, calcs: [] },
    tooltip: { mode: "multi", sort: "desc" },
  };
  const custom: Json<FieldConfig> = {
    drawStyle: "line",
    lineWidth: 1,
    fillOpacity: 10,
    showPoints: "never",
    spanNulls: false,
    thresholdsStyle: { mode: limit === undefined ? "off" : "dashed" },
  };
  return {
    width: 8,
    height: 8,
    panel: {
      type: "timeseries",
      title,
      ...(description === undefined ? {} : { description }),
      datasource: DATASOURCE,
      targets: targets(queries, false),
      fieldConfig: {
        defaults: {
          unit,
          min: 0,
          custom,
          thresholds: thresholds(limit === undefined ? {} : { from: limit }),
        },
        overrides: [],
      },
      options,
    },
  };
}

/** Where a figure turns red. */
interface Red {
  readonly from?: number;
  readonly below?: number;
}

interface StatChoice {
  readonly unit?: string;
  readonly description?: string;
  readonly red?: Red;
}

function stat(title: string, expr: string, { unit = "short", description, red = {} }: StatChoice): Drawn {
  const options: Json<StatOptions> = {
    graphMode: "none",
    colorMode: "value",
    justifyMode: "auto",
    textMode: "auto",
    wideLayout: true,
    showPercentChange: false,
    percentChangeColorMode: "standard",
    orientation: "auto",
    reduceOptions: { calcs: ["lastNotNull"], values: false },
  };
  return {
    width: 4,
    height: 4,
    panel: {
      type: "stat",
      title,
      ...(description === undefined ? {} : { description }),
      datasource: DATASOURCE,
      targets: targets([[expr, ""]], true),
      fieldConfig: { defaults: { unit, thresholds: thresholds(red) }, overrides: [] },
      options,
    },
  };
}

function thresholds({ from, below }: Red) {
  const [base, other] = below === undefined ? (["green", "red"] as const) : (["red", "green"] as const);
  const limit = from ?? below;
  return {
    mode: "absolute" as const,
    steps: [{ color: base, value: null }, ...(limit === undefined ? [] : [{ color: other, value: limit }])],
  };
}
