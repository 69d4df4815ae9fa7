import { afterAll, beforeAll, expect, test } from "vitest";
import { requestResync } from "../../../runtime/operate/request-resync.js";
import { startServer, type TestServer } from "../../support/http-server.js";
import { KEY } from "../../support/http-tables.js";

const REPORT = {
  rows: 3,
  written: 1,
  removed: 0,
  unfit: 0,
  failed: 0,
  ahead: 0,
  overruled: 0,
  seq: 7,
  ms: 5,
};

let server: TestServer;
const asked: string[] = [];
const trusting: string[] = [];
beforeAll(async () => {
  server = await startServer({
    operations: {
      resyncable: () => ["one", "two"],
      resync: async (durable, { trustSource }) => {
        asked.push(durable);
        if (trustSource === true) trusting.push(durable);
        return durable === "two" ? { durable, error: "the source is down" } : { durable, report: REPORT };
      },
    },
  });
});
afterAll(() => server.close());

test("a resync takes a snapshot for every consumer, and each succeeds or fails by itself", async () => {
  expect(await requestResync({ url: server.url, operatorKey: KEY })).toEqual([
    { durable: "one", report: REPORT },
    { durable: "two", error: "the source is down" },
  ]);
});

test("a resync of one consumer takes a snapshot for that one", async () => {
  asked.length = 0;
  await requestResync({ url: server.url, operatorKey: KEY, durable: "one" });
  expect(asked).toEqual(["one"]);
});

test("a resync with trust=source replaces later versions of the cache", async () => {
  trusting.length = 0;
  await requestResync({ url: server.url, operatorKey: KEY, durable: "one" });
  expect(trusting).toEqual([]);
  await requestResync({ url: server.url, operatorKey: KEY, trustSource: true });
  expect(trusting).toEqual(["one", "two"]);
});

test("an unknown consumer and a wrong key are refused", async () => {
  const unknown = requestResync({ url: server.url, operatorKey: KEY, durable: "three" });
  await expect(unknown).rejects.toThrow("answered 404");
  await expect(requestResync({ url: server.url, operatorKey: "wrong" })).rejects.toThrow("answered 401");
});
