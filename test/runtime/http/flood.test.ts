import { Agent, get, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KEY, startServer, type TestServer } from "../../support/http-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  await server.request("POST", "/api/users", { body: { user_id: "u1", username: "u1" } });
});
afterAll(() => server.close());

test("10,000 requests on 500 connections are all answered through a pool of eight", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 500 });
  const statuses = new Map<number, number>();
  const ask = (path: string) =>
    new Promise<void>((resolve, reject) => {
      const headers = { authorization: `Bearer ${KEY}` };
      const onResponse = (response: IncomingMessage) => {
        const status = response.statusCode ?? 0;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        response.resume().once("end", resolve);
      };
      get(server.url + path, { agent, headers }, onResponse).once("error", reject);
    });
  await Promise.all(
    Array.from({ length: 10_000 }, (_, at) => ask(`/api/users${at % 10 === 0 ? "" : "/u1"}`)),
  );
  agent.destroy();
  const answered = (statuses.get(200) ?? 0) + (statuses.get(503) ?? 0);
  expect([...statuses.values()].reduce((sum, count) => sum + count)).toBe(10_000);
  expect(answered).toBe(10_000);
  expect(server.pool.totalCount).toBeLessThanOrEqual(8);
  expect((await server.request("GET", "/api/users/u1")).status).toBe(200);
});
