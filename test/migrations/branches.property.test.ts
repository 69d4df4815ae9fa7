import fc from "fast-check";
import { expect, inject, test } from "vitest";
import type { PlannedMigration } from "../../generator/migrations/plan.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { readCatalog } from "../support/catalog.js";
import { applyFiles, chain, openDatabase, plan } from "../support/migrations.js";
import { buildModel, modelPlan } from "../support/random-models.js";

/*
 * Random branches: whatever two branches have made of a mesh, and whatever their merge says, the joined chain brings
 * every database to the same catalogs, wherever on either branch it stood.
 */

type Files = readonly PlannedMigration[];

function goOn(files: Files, models: readonly Mesh[]): Files {
  return models.reduce((existing, next) => {
    const made = plan(next, { existing, allowDestructive: true });
    if (made.refusals.length > 0) throw new Error(JSON.stringify(made.refusals));
    return made.files.shop ?? [];
  }, files);
}

/** Merges two folders as git does. */
function merge(ours: Files, theirs: Files): Files {
  const files = new Map([...ours, ...theirs].map((file) => [file.name, file]));
  return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const branch = fc.array(modelPlan, { minLength: 1, maxLength: 2 });

test("databases of any two branches end where the model of the merge begins", async () => {
  await fc.assert(
    fc.asyncProperty(modelPlan, branch, branch, modelPlan, async (base, ours, theirs, merged) => {
      const common = chain([buildModel(base)]);
      const a = goOn(common, ours.map(buildModel));
      const b = goOn(common, theirs.map(buildModel));
      const last = buildModel(merged);
      const joined = goOn(merge(a, b), [last]);
      expect(plan(last, { existing: joined }).files.shop).toEqual(joined);
      const fresh = await openDatabase(inject("postgres"), chain([last]));
      const expected = await readCatalog(fresh.client);
      await fresh.close();
      for (const had of [[], common, a, b, a.slice(0, 2), b.slice(0, 2)]) {
        const database = await openDatabase(inject("postgres"), had.length > 0 ? had : undefined);
        await applyFiles(database.client, joined);
        expect(await readCatalog(database.client)).toEqual(expected);
        await database.close();
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 6), endOnFailure: true },
  );
}, 300_000);
