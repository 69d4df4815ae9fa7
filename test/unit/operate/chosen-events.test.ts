import { describe, expect, test } from "vitest";
import { chooseEvents, filterMistake } from "../../../generator/cli/trace/choose-events.js";
import { compile, readMesh } from "../../support/compile.js";

/*
 * The events that somebody means by the subject of `mesh tail`.
 */

describe("an invalid filter is one usage error", () => {
  const mesh = compile(readMesh("mesh.yaml"));
  test.each(["auth.>.x", ">.x", "auth..x", "", ".", "au*", "auth.us>", "auth user", "auth.\u0000"])(
    "%j",
    (subject) => {
      expect(filterMistake(subject)).toEqual(expect.any(String));
      expect(() => chooseEvents(mesh, subject)).toThrow(`"${subject}" is no subject: `);
    },
  );
  test.each(["auth.>", ">", "auth.user.*.*", "*.*.*.deleted", "auth.user.*.created"])(
    "%j is a filter",
    (subject) => {
      expect(filterMistake(subject)).toBeUndefined();
      expect(chooseEvents(mesh, subject)?.events.length).toBeGreaterThan(0);
    },
  );
});

test("entities, actions and patterns of mesh.yaml name events, whatever the subjects of their owner look like", () => {
  const mesh = compile(readMesh("test/scenarios/emit/foreign-envelopes/mesh.yaml"));
  const names = (subject: string) => chooseEvents(mesh, subject)?.events.map(({ name }) => name);
  expect(names("shop.order.moved")).toEqual(["OrderMoved"]);
  expect(names("platform.channel")).toEqual(["ChannelDescribed", "ChannelMeasured"]);
  expect(names("platform.*")).toEqual(["ChannelDescribed", "ChannelMeasured", "GatewaySeen"]);
  expect(names("m.*.c.>")).toEqual(["ChannelDescribed", "ChannelMeasured"]);
  expect(() => names("shop.oder.moved")).toThrow('no event of this mesh has a subject of "shop.oder.moved"');
});
