import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AnsweringServer, startAnswering } from "../support/answering-server.js";
import {
  bareClient,
  cached,
  call,
  register,
  startMesh,
  type TestMesh,
  waitFor,
} from "../support/reference-mesh.js";

/*
 * Traces of the reference mesh, as a collector of OpenTelemetry receives them (OTLP over HTTP, as JSON) from processes that have nothing
 * but OTEL_* in their environment.
 */

interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface Export {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<ReceivedSpan, "service" | "attributes"> & {
        readonly attributes?: readonly Attribute[];
      })[];
    }[];
  }[];
}

const received: ReceivedSpan[] = [];
let collector: AnsweringServer;
let mesh: TestMesh;

const valuesOf = (attributes: readonly Attribute[] = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

function receive({ resourceSpans = [] }: Export): void {
  for (const { resource, scopeSpans } of resourceSpans) {
    const service = String(valuesOf(resource.attributes)["service.name"]);
    for (const { spans } of scopeSpans)
      for (const span of spans) received.push({ ...span, service, attributes: valuesOf(span.attributes) });
  }
}

beforeAll(async () => {
  collector = await startAnswering(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    receive(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Export);
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
    OTEL_BSP_SCHEDULE_DELAY: "200",
  };
  mesh = await startMesh({
    env: { auth: environment, sfs: environment, compute: environment, gateway: environment },
  });
});

afterAll(async () => {
  await mesh?.stop();
  await collector?.close();
});

const spans = (traceId: string, service: string, name: RegExp) =>
  received.filter((span) => span.traceId === traceId && span.service === service && name.test(span.name));

/** Of this trace all, of others those of messages: for whoever reads a failure. */
function toldOf(all: readonly ReceivedSpan[], traceId: string): string {
  const isOfInterest = (one: ReceivedSpan) => one.traceId === traceId || !/^(pg|GET|tcp)/.test(one.name);
  return all
    .filter(isOfInterest)
    .map((one) => `${one.service} ${one.name} (${one.traceId})`)
    .join(", ");
}

/** A request that begins a trace of its own, and how its spans are found. */
async function traced(request: string, body?: object) {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  const [method = "", path = ""] = request.split(" ");
  const response = await fetch(`${mesh.services.auth.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${mesh.key}`,
      ...(body && { "content-type": "application/json" }),
      traceparent: `00-${traceId}-${spanId}-01`,
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const found = (service: string, name: RegExp) =>
    waitFor(async () => spans(traceId, service, name)[0], { timeoutMs: 20_000 }).catch((cause: unknown) => {
      throw new Error(`no span ${name} of ${service}; there are ${toldOf(received, traceId)}`, { cause });
    });
  return { response, traceId, spanId, found };
}

test("one trace goes from a POST at auth to the rows in sfs and compute", { timeout: 120_000 }, async () => {
  const { response, traceId, spanId, found } = await traced("POST /api/users", {
    username: "said-in-no-span",
  });
  expect(response.status).toBe(201);
  const { user_id: id } = (await response.json()) as { readonly user_id: string };
  for (const service of ["sfs", "compute"] as const) await waitFor(() => cached(mesh, service, id));

  const create = await found("auth", /^create auth\.user\.\{id\}\.\{action\}$/);
  expect(create.kind).toBe(4);
  const send = await found("auth", /^send auth\.user\.\{id\}\.created$/);
  expect(send.parentSpanId).toBe(create.spanId);
  for (const service of ["sfs", "compute"]) {
    const process = await found(service, /^process auth\.user\.\{id\}\.\{action\}$/);
    expect(process).toMatchObject({
      kind: 5,
      parentSpanId: create.spanId,
      attributes: { "messaging.system": "nats", "messaging.consumer.group.name": `${service}_auth_user` },
    });
    // The statements of the transaction, by the official instrumentation.
    const statement = await found(service, /^pg\.query/);
    expect(statement.traceId).toBe(traceId);
  }
  // The request itself, by the official instrumentation.
  const request = await found("auth", /^POST/);
  expect(request).toMatchObject({ kind: 2, parentSpanId: spanId });

  const bare = await bareClient(mesh.operatorUrl);
  const message = await bare.jsm.streams.getMessage("AUTH", { last_by_subj: `auth.user.${id}.created` });
  expect(message.header.get("traceparent")).toBe(`00-${traceId}-${create.spanId}-01`);
  await bare.close();
  expect(JSON.stringify(received.map(({ name }) => name))).not.toContain(id);
  expect(JSON.stringify(received)).not.toContain("said-in-no-span");
});

test("a cascade over users, containers and routes is one trace", { timeout: 120_000 }, async () => {
  const user = await register(mesh, "traced-over-hops");
  await waitFor(() => cached(mesh, "compute", user));
  const container = await call(mesh, "compute", "POST /api/containers", {
    user_id: user,
    name: "web",
    namespace: "traced-web",
    image: "img:1",
  });
  const { container_id } = container.body;
  const route = { container_id, host: "traced.example", path_prefix: "/", target: "x" };
  expect(await call(mesh, "gateway", "POST /api/routes", route)).toMatchObject({ status: 201 });

  const { response, found } = await traced(`DELETE /api/users/${user}`);
  expect(response.status).toBe(204);
  await found("auth", /^send auth\.user\.\{id\}\.deleted$/);
  const users = await found("compute", /^process auth\.user\.\{id\}\.\{action\}$/);
  const sent = await found("compute", /^send compute\.container\.\{id\}\.deleted$/);
  expect(sent.parentSpanId).toBe(users.spanId);
  const containers = await found("gateway", /^process compute\.container\.\{id\}\.\{action\}$/);
  expect(containers.parentSpanId).toBe(users.spanId);
  const last = await found("gateway", /^send gateway\.route\.\{id\}\.unregistered$/);
  expect(last.parentSpanId).toBe(containers.spanId);
});
