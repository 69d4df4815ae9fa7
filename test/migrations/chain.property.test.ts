import fc from "fast-check";
import { expect, inject, test } from "vitest";
import { readCatalog } from "../support/catalog.js";
import { chain, openDatabase } from "../support/migrations.js";
import { buildModel, modelPlan } from "../support/random-models.js";

/*
 * Random histories: any chain of three models, destructive steps allowed, ends in the catalogs of its last
 * model alone. A failure prints the models; put the smallest one into chain.test.ts.
 */

test("any history of models ends where its last model begins", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(modelPlan, { minLength: 2, maxLength: 3 }), async (plans) => {
      const models = plans.map(buildModel);
      const last = models.at(-1);
      if (last === undefined) return;
      const chained = await openDatabase(inject("postgres"), chain(models));
      const fresh = await openDatabase(inject("postgres"), chain([last]));
      try {
        expect(await readCatalog(chained.client)).toEqual(await readCatalog(fresh.client));
      } finally {
        await Promise.all([chained.close(), fresh.close()]);
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 25), endOnFailure: true },
  );
}, 300_000);
