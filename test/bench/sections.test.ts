import { expect, inject, test } from "vitest";
import { rowsText } from "../../bench/report.js";
import { isIn, openBench } from "../../bench/section.js";
import { sections } from "../../bench/sections.js";

/* The smallest form of the bench: nothing of speed is asserted, only that each row comes out, with what it is held against. */

const bench = openBench("smoke", async () => ({ postgresUrl: inject("postgres"), natsUrl: inject("nats") }));

test.each(sections.filter(isIn("smoke")))("npm run bench -- $name yields its rows", async ({ measure }) => {
  const rows = await measure(bench);
  expect(rows).not.toEqual([]);
  expect(new Set(rows.map(({ what }) => what)).size).toBe(rows.length);
  for (const { what, value, yardstick, goal } of rows) {
    expect(value.median, what).toBeGreaterThan(0);
    if (yardstick === undefined) expect(goal, `${what} has neither a yardstick nor a goal`).toBeDefined();
    else expect(yardstick.value.median, what).toBeGreaterThan(0);
  }
  expect(rowsText(rows).split("\n")).toHaveLength(rows.length + 1);
});
