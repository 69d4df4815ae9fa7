import { expect, inject, test } from "vitest";
import { DESTRUCTIVE_STEPS } from "../support/destructive-steps.js";
import { openDatabase, plan, shop } from "../support/migrations.js";

test.each(DESTRUCTIVE_STEPS)("$what runs on a database when it is allowed", async ({ from, to }) => {
  const [previous, next] = [shop(from), shop(to)];
  const existing = plan(previous).files.shop ?? [];
  const { refusals, files } = plan(next, { existing, allowDestructive: true });
  expect(refusals).toEqual([]);
  const database = await openDatabase(inject("postgres"), files.shop);
  await database.close();
});
