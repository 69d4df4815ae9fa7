import { describe, expect, it } from "vitest";
import {
  ackSubjectOf,
  nanosecondsOf,
  readAckSubject,
  streamOf,
} from "../../../runtime/broker/ack-subject.js";

const read = (reply: string) => ({
  ...readAckSubject(reply),
  stream: streamOf(reply),
  nanoseconds: nanosecondsOf(reply),
});

describe("the ack subject of a delivered message", () => {
  const place = {
    stream: "AUTH",
    deliveries: 2,
    seq: 41,
    consumerSeq: 7,
    nanoseconds: "1700000000000000001",
  };

  it("is read in its old form, and in that with domain, account and a random token", () => {
    expect(read("$JS.ACK.AUTH.sfs_auth_user.2.41.7.1700000000000000001.0")).toEqual(place);
    expect(read("$JS.ACK.hub.ACCOUNT.AUTH.sfs_auth_user.2.41.7.1700000000000000001.0.token")).toEqual(place);
  });

  it("gives no number for what is none, and keeps sequences that an integer of 32 bits does not hold", () => {
    const odd = read("$JS.ACK.AUTH.sfs_auth_user.x.9007199254740991..1.0");
    expect(odd).toMatchObject({
      deliveries: Number.NaN,
      seq: Number.MAX_SAFE_INTEGER,
      consumerSeq: Number.NaN,
    });
    expect(read("$JS.ACK.AUTH")).toMatchObject({
      stream: "AUTH",
      seq: Number.NaN,
      nanoseconds: "0",
    });
  });

  it("of another message is read as that message", () => {
    const other = ackSubjectOf("$JS.ACK.hub.A.AUTH.d.1.5.5.17.0.t", { seq: 6, consumerSeq: 9 });
    expect(read(other)).toMatchObject({ seq: 6, consumerSeq: 9, stream: "AUTH" });
  });
});
