import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Folders whose tests start processes, and take minutes together; whatever is not in them takes seconds. */
const PROCESSES = /\/test\/(chaos|e2e|faults|names|packages|security|simulator)\//;

/**
 * A long file that begins last runs alone at the end. The first run on a machine knows no durations: files that start processes go
 * first, then others on servers, then unit tests, whose workers share modules as long as nothing comes between them.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ project, moduleId }: TestSpecification) =>
      project.name === "unit" ? 2 : PROCESSES.test(moduleId) ? 0 : 1;
    return sorted.toSorted((one, other) => rank(one) - rank(other));
  }
}
