import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { readSamples, type ScrapedSample } from "./scraped-samples.js";
import { freePort, waitFor } from "./servers.js";

/*
 * Which alerts of alerts.yml fire on a running mesh: as Prometheus says it, where there is one (PROMETHEUS_BIN, or on the PATH; Debian's
 * package has it), else as the expressions say it that its own grammar has parsed, over what was scraped.
 */

export interface AlertEngine {
  readonly name: string;
  /** The names of the alerts whose expression holds now, each with the labels that the rule adds. */
  firing(): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

export interface EngineOptions {
  /** Text of alerts.yml. */
  readonly rules: string;
  /** Base URLs of the services. */
  readonly targets: readonly string[];
  readonly key: string;
}

export async function openAlertEngine(options: EngineOptions): Promise<AlertEngine> {
  const binary = findPrometheus();
  return binary === undefined ? openParser(options) : await openPrometheus(binary, options);
}

export function findPrometheus(program: "prometheus" | "promtool" = "prometheus"): string | undefined {
  const { PROMETHEUS_BIN, PATH = "" } = process.env;
  const folders = [...(PROMETHEUS_BIN === undefined ? [] : [PROMETHEUS_BIN]), ...PATH.split(delimiter)];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

async function openPrometheus(binary: string, { rules, targets, key }: EngineOptions): Promise<AlertEngine> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-prometheus-"));
  const port = await freePort();
  // Whether the expression holds is what is asked: nobody waits minutes for an alert here.
  await writeFile(join(folder, "alerts.yml"), rules.replaceAll(/^( +for:).*$/gm, "$1 0s"));
  await writeFile(join(folder, "metrics.key"), key);
  const hosts = targets.map((url) => JSON.stringify(new URL(url).host)).join(", ");
  await writeFile(
    join(folder, "prometheus.yml"),
    `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [alerts.yml]
scrape_configs:
  - job_name: mesh
    authorization: { credentials_file: metrics.key }
    static_configs: [{ targets: [${hosts}] }]
`,
  );
  const process = spawn(
    binary,
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: "ignore" },
  );
  const api = `http://127.0.0.1:${port}/api/v1`;
  await waitFor(async () => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok, { what: "Prometheus" });
  return {
    name: "prometheus",
    async firing() {
      const answer = (await (await fetch(`${api}/alerts`)).json()) as {
        readonly data: { readonly alerts: readonly { readonly labels: { readonly alertname: string } }[] };
      };
      return new Set(answer.data.alerts.map(({ labels }) => labels.alertname));
    },
    async close() {
      const ended = new Promise((resolve) => process.once("exit", resolve));
      process.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

export function rulesOf(text: string): readonly Rule[] {
  const { groups } = parse(text) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

function openParser({ rules, targets, key }: EngineOptions): AlertEngine {
  const parsed = rulesOf(rules).map(({ alert, expr }) => ({ alert, holds: readExpression(expr) }));
  const scrape = async (url: string) => {
    const headers = { authorization: `Bearer ${key}` };
    try {
      return readSamples(await (await fetch(`${url}/metrics`, { headers })).text());
    } catch {
      return [];
    }
  };
  return {
    name: "parser",
    async firing() {
      const samples = (await Promise.all(targets.map(scrape))).flat();
      return new Set(parsed.filter(({ holds }) => holds(samples)).map(({ alert }) => alert));
    },
    close: async () => undefined,
  };
}

/** Names of the nodes of an expression, and the text of each, in the order of the text. Throws where the grammar finds a mistake. */
export function parsePromql(expression: string): readonly (readonly [node: string, text: string])[] {
  const nodes: (readonly [string, string])[] = [];
  parser.parse(expression).iterate({
    enter: ({ name, from, to, type }) => {
      if (type.isError) throw new Error(`no PromQL: ${expression}`);
      nodes.push([name, expression.slice(from, to)]);
    },
  });
  return nodes;
}

/** `series == 1`, `series{label="value"} > 5` or `absent(series)`: the rules have no others. */
function readExpression(expression: string): (samples: readonly ScrapedSample[]) => boolean {
  const nodes = parsePromql(expression);
  const texts = (name: string) => nodes.filter(([node]) => node === name).map(([, text]) => text);
  const [metric] = texts("Identifier");
  const values = texts("StringLiteral").map((text) => JSON.parse(text) as string);
  const labels = texts("LabelName").map((label, at) => [label, values[at]] as const);
  const found = (samples: readonly ScrapedSample[]) =>
    samples.filter(
      (sample) => sample.name === metric && labels.every(([label, value]) => sample.labels[label] === value),
    );
  if (nodes.some(([node]) => node === "Absent")) return (samples) => found(samples).length === 0;
  const limit = Number(texts("NumberDurationLiteral")[0]);
  const operator = nodes.find(([node]) => node === "Gtr" || node === "Eql")?.[0];
  if (operator === undefined || Number.isNaN(limit)) throw new Error(`not evaluated here: ${expression}`);
  return (samples) =>
    found(samples).some(({ value }) => (operator === "Gtr" ? value > limit : value === limit));
}
