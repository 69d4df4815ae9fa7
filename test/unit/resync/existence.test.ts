import { describe, expect, it } from "vitest";
import { stateOnceFound } from "../../../runtime/resync/existence.js";

describe("an entity that the source has", () => {
  const state = { version: 4, versioned: true, deleted: true, seq: 50 };
  const alive = (version: number) => ({ version, versioned: true, deleted: false, seq: null });
  it.each([
    ["is unknown", undefined, 7, alive(0)],
    ["was only referred to", { version: null, versioned: false, deleted: false, seq: null }, 7, alive(0)],
    ["is known", { ...state, deleted: false }, 7, undefined],
    ["was deleted before", state, 5, alive(4)],
    ["was deleted after", state, 3, undefined],
    ["was deleted just then", state, 4, undefined],
    ["was lacking in an earlier snapshot", { ...state, versioned: false }, 6, alive(5)],
    [
      "was deleted since, by an owner without versions",
      { ...state, version: null, versioned: false, seq: 101 },
      null,
      undefined,
    ],
    [
      "was deleted before, by an owner without versions",
      { ...state, version: null, versioned: false },
      null,
      alive(1),
    ],
  ])("and that %s", (_, known, version, expected) => {
    expect(stateOnceFound(known, version, 100)).toEqual(expected);
  });
});
