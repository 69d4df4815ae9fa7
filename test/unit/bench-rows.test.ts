import { expect, test } from "vitest";
import { rowsText } from "../../bench/report.js";
import { medians, row } from "../../bench/row.js";

test("a ratio of the bench is the median of the rounds' own ratios, and meets its goal or not", () => {
  const measured = {
    what: "events",
    unit: "/s",
    samples: [100, 90, 300],
    yardstick: { what: "by hand", samples: [50, 30, 300] },
  } as const;
  const met = row({ ...measured, goal: { of: "ratio", atLeast: 2 } });
  expect(met).toMatchObject({
    value: { median: 100, low: 90, high: 300 },
    ratio: { median: 2, low: 1, high: 3 },
    yardstick: { what: "by hand", value: { median: 50, low: 30, high: 300 } },
    met: true,
  });
  expect(row({ ...measured, goal: { of: "ratio", atLeast: 2.1 } }).met).toBe(false);
  expect(row({ ...measured, goal: { of: "value", atMost: 99 } }).met).toBe(false);
  expect(row(measured)).not.toHaveProperty("met");
});

test("a row of the bench without a figure, or with fewer rounds of its yardstick, is an error", () => {
  expect(() => row({ what: "events", unit: "/s", samples: [Number.NaN] })).toThrow('"events" has no figure');
  expect(() => row({ what: "events", unit: "/s", samples: [] })).toThrow("the median of nothing");
  const yardstick = { what: "by hand", samples: [1] };
  expect(() => row({ what: "events", unit: "/s", samples: [1, 2], yardstick })).toThrow("fewer rounds");
});

test("turns of the bench are grouped into as many medians as there are rounds", () => {
  expect(medians([1, 2, 3, 10, 20, 30], 2)).toEqual([2, 20]);
  expect(medians([1], 3)).toEqual([1]);
});

test("figures of the bench read with their unit, spread and goal", () => {
  const yardstick = { what: "by hand", samples: [2_500, 2_500] };
  const goal = { of: "ratio", atLeast: 0.8 } as const;
  expect(
    rowsText([
      row({ what: "relayed", unit: "/s", samples: [1_000, 2_000], yardstick, goal }),
      row({ what: "first", unit: "ms", samples: [0.456], goal: { of: "value", atMost: 0.5 } }),
    ]),
  ).toBe(
    "  relayed  1,500/s (1,000/s to 2,000/s)  60% (40% to 80%)  by hand: 2,500/s  ≥ 80% MISSED\n" +
      "  first    0.46 ms                                                           ≤ 0.50 ms met\n",
  );
});
