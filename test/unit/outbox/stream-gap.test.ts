import { describe, expect, it } from "vitest";
import type { StoredMessage } from "../../../runtime/broker/broker.js";
import { readGap } from "../../../runtime/outbox/stream-gap.js";

const EVENT_ID = "1b4e28ba-2fa1-4d1e-8c3a-5f2a9d9b7c10";

const message = (subject: string, version: unknown, more: Partial<StoredMessage> = {}): StoredMessage => ({
  subject,
  stream: "auth",
  seq: 1,
  time: new Date(0),
  body: Buffer.from(JSON.stringify({ metadata: { version } })),
  headers: {},
  ...more,
});

const believed = { isOurs: (subject: string) => subject.startsWith("auth.user."), highest: 100 };

describe("messages of the stream that the database may have forgotten", () => {
  it("give the newest version of each entity, also out of order", () => {
    const { newest } = readGap(
      [
        message("auth.user.1.created", 3),
        message("auth.user.1.updated", 5),
        message("auth.user.1.updated", 4),
      ],
      believed,
    );
    expect(newest).toEqual([{ entity: "auth.user", id: "1", version: 5 }]);
  });

  it("tell which rows of the outbox are published already", () => {
    const headers = { "Nats-Msg-Id": EVENT_ID };
    const { published } = readGap(
      [message("auth.user.1.created", 1, { headers }), message("auth.user.2.created", 1)],
      believed,
    );
    expect(published).toEqual([{ eventId: EVENT_ID, subject: "auth.user.1.created" }]);
  });

  it("are counted where they have no version", () => {
    const bodies = ["{}", "null", "not JSON", '{"metadata":{"version":"3"}}', '{"metadata":{"version":0}}'];
    const messages = bodies.map((text) => message("auth.user.1.updated", 0, { body: Buffer.from(text) }));
    expect(readGap(messages, believed)).toMatchObject({ unversioned: bodies.length, newest: [] });
  });

  it("are not believed where no counting leads to their version", () => {
    const { newest, unexplained } = readGap([message("auth.user.1.updated", 101, { seq: 7 })], believed);
    expect([newest, unexplained]).toEqual([[], [{ subject: "auth.user.1.updated", seq: 7, version: 101 }]]);
  });

  it("are ignored where they are another service's, or none of the mesh", () => {
    const subjects = ["sfs.file.1.created", "auth.user.1", "auth.user.1.2.created"];
    const gap = readGap(
      subjects.map((subject) => message(subject, 9)),
      believed,
    );
    expect(gap).toEqual({ newest: [], published: [], unversioned: 0, unexplained: [] });
  });
});
