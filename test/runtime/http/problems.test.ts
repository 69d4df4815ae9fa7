import { afterAll, beforeAll, expect, test } from "vitest";
import type { ProblemDocument } from "../../../runtime/http/problem.js";
import { type RequestOptions, sendRaw, startServer, type TestServer } from "../../support/http-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ limits: { bodyBytes: 4096, requestMs: 1_000 } });
  await server.request("POST", "/api/users", { body: { user_id: "u1", username: "taken" } });
  await server.request("POST", "/api/users", { body: { user_id: "u2", username: "other" } });
  await server.request("POST", "/api/files", { body: { owner_id: "u1", path: "/a" } });
});
afterAll(() => server.close());

interface Case extends RequestOptions {
  readonly what: string;
  readonly method?: string;
  readonly path?: string;
  readonly status: number;
  /** Pointers of `errors`, in order. */
  readonly pointers?: readonly string[];
}

const text = (contentType: string) => ({ headers: { "content-type": contentType } });
const post = (what: string, body: unknown, status: number, pointers?: readonly string[]): Case => ({
  what,
  method: "POST",
  body,
  status,
  ...(pointers === undefined ? {} : { pointers }),
});

const cases: readonly Case[] = [
  post("cut-off JSON", '{"username": "x"', 400),
  post("JSON with a trailing comma", '{"username": "x",}', 400),
  post("an array", [], 422, [""]),
  post("null", "null", 422, [""]),
  post("a string", '"x"', 422, [""]),
  post("nothing", "", 422, [""]),
  post("a missing and a wrong field", { level: "high" }, 422, ["/username", "/level"]),
  post("an unknown field with a slash", { username: "x", "a/b~c": 1 }, 422, ["/a~1b~0c"]),
  post("a prototype", '{"username": "x", "__proto__": {"admin": true}}', 422, ["/__proto__"]),
  post("an empty id", { user_id: "", username: "x" }, 422, ["/user_id"]),
  post("a NUL", { username: "a\u0000b" }, 422, [""]),
  post("a NUL in JSON", { username: "x", settings: "\u0000" }, 422, [""]),
  post("half a character", '{"username": "\\ud800"}', 422, ["/username"]),
  post("half a character in JSON", '{"username": "x", "settings": {"a": "\\ud800"}}', 422, [""]),
  post("a number out of range", { username: "x", level: 2 ** 40 }, 422, [""]),
  post("a number beyond every range", '{"username": "x", "score": 1e300}', 422, ["/score"]),
  post("a date that is none", { username: "x", created_at: "2024-02-30T00:00:00Z" }, 422, ["/created_at"]),
  post("null where there must be a value", { username: "x", display_name: null }, 422, ["/display_name"]),
  post("a value against a CHECK", { username: "x", level: 100 }, 422, ["/level"]),
  post("a taken name", { username: "taken" }, 409, ["/username"]),
  post("a taken id", { user_id: "u1", username: "new" }, 409, ["/user_id"]),
  {
    ...post("a taken pair", { owner_id: "u1", path: "/a" }, 409, ["/owner_id", "/path"]),
    path: "/api/files",
  },
  {
    ...post("a reference to nothing", { owner_id: "u9", path: "/" }, 409, ["/owner_id"]),
    path: "/api/files",
  },
  post("a reference to something deleted", { username: "gone" }, 409, ["/username"]),
  post("an event too large for the broker", { username: "huge" }, 413),
  post("a body too large", { username: "x".repeat(5000) }, 413),
  { ...post("another media type", "a=b", 415), ...text("application/x-www-form-urlencoded") },
  { ...post("a bug below", { username: "secret" }, 500) },
  { what: "a key in a patch", method: "PATCH", path: "/api/users/u1", body: { user_id: "u7" }, status: 422 },
  { what: "an empty patch", method: "PATCH", path: "/api/users/u1", body: {}, status: 422, pointers: [""] },
  {
    what: "a patch to a taken name",
    method: "PATCH",
    path: "/api/users/u2",
    body: { username: "taken" },
    status: 409,
  },
  { what: "a row that is referred to", method: "DELETE", path: "/api/users/u1", status: 409 },
  { what: "an unknown id", path: "/api/users/nobody", status: 404 },
  { what: "an unknown path", path: "/api/nothing", status: 404 },
  { what: "a path below a row", path: "/api/users/u1/files", status: 404 },
  { what: "an id that is no number", path: "/api/files/abc", status: 404 },
  { what: "another spelling of an id", path: "/api/files/01", status: 404 },
  { what: "another spelling of an id, with a sign", path: "/api/files/+1", status: 404 },
  { what: "a patch by another spelling", method: "PATCH", path: "/api/files/01", body: {}, status: 404 },
  { what: "a deletion by another spelling", method: "DELETE", path: "/api/files/01", status: 404 },
  { what: "an id with a NUL", path: "/api/users/a%00b", status: 400 },
  { what: "an id that is not UTF-8", path: "/api/users/%ff", status: 400 },
  { what: "a broken escape", path: "/api/users/%zz", status: 400 },
  { what: "an unknown filter", path: "/api/users?nme=x", status: 400 },
  { what: "a repeated filter", path: "/api/users?username=x&username=y", status: 400 },
  { what: "a filter on JSON", path: "/api/users?settings=1", status: 400 },
  { what: "a filter of the wrong type", path: "/api/users?level=high", status: 400 },
  { what: "a filter with a NUL", path: "/api/users?username=%00", status: 400 },
  { what: "an unknown method of a list", method: "DELETE", path: "/api/users", status: 405 },
  { what: "writing to a copy", method: "POST", path: "/api/user-cache", body: { user_id: "x" }, status: 405 },
  {
    what: "changing a copy",
    method: "PATCH",
    path: "/api/user-cache/x",
    body: { username: "x" },
    status: 405,
  },
  { what: "a body by PUT", method: "PUT", path: "/api/users/u1", body: {}, status: 405 },
];

test.each(cases)(
  "$what: $status",
  async ({ method = "GET", path = "/api/users", status, pointers, ...options }) => {
    const response = await server.request(method, path, options);
    const problem = (await response.json()) as ProblemDocument;
    expect({ status: response.status, problem }).toMatchObject({ status, problem: { status } });
    expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(problem).toMatchObject({
      type: expect.any(String),
      title: expect.any(String),
      detail: expect.any(String),
    });
    expect(problem.instance).toBe(path.split("?")[0]);
    expect(JSON.stringify(problem)).not.toContain("secret");
    if (pointers !== undefined) {
      expect(problem.errors?.map((error) => error.pointer)).toEqual(pointers);
    }
    if (status === 405) expect(response.headers.get("allow")).toContain("GET");
  },
);

test("what nobody foresaw is in the log, under the request's id", async () => {
  const headers = { "x-request-id": "find-me" };
  await server.request("POST", "/api/users", { body: { username: "secret" }, headers });
  const line = server.recording.lines.find(
    ({ fields }) => "request" in fields && fields.request === "find-me",
  );
  expect(line?.level).toBe("error");
  expect(line?.fields).toMatchObject({ error: { message: "secret of the house" } });
});

test.each([
  ["no key", undefined],
  ["a wrong key", "Bearer wrong"],
  ["a key of another scheme", `Basic ${Buffer.from("a:b").toString("base64")}`],
  ["an empty key", "Bearer "],
])("%s: 401 with a challenge, for unknown paths too", async (_what, authorization) => {
  for (const path of ["/api/users", "/api/users/u1", "/operate/resync", "/nothing"]) {
    const response = await fetch(
      server.url + path,
      authorization === undefined ? {} : { headers: { authorization } },
    );
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer realm="auth"/);
    expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  }
});

test("health needs no key", async () => {
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
});

test.each([
  ["nonsense", "NONSENSE\r\n\r\n", 400],
  ["no host", "GET /api/users HTTP/1.1\r\nconnection: close\r\n\r\n", 400],
  ["headers too large", `GET / HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, 431],
  ["headers that never end", "GET / HTTP/1.1\r\nhost: a\r\nx: y", 408],
  ["two lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400],
])("bytes that are no request, %s: a problem and a closed connection", async (_what, bytes, status) => {
  const answer = await sendRaw(server.port, bytes);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toMatch(/^content-type: application\/problem\+json/im);
});
