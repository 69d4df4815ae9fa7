import { relative, sep } from "node:path";
import { isMigrationPath } from "../emit/file.js";
import { LOCK_FILE } from "../emit/lock.js";
import { openOutputFolder } from "../project/output-folder.js";
import { GENERATED } from "../project/paths.js";
import { UsageError } from "../project/usage-error.js";
import { withFollowers } from "../take-back.js";
import { openCommitted } from "./diff/git.js";

/** Of `--take-back`: the migrations and all that follow them, by their paths in generated/. Throws where a commit has one of them. */
export function chooseTakenBack(given: readonly string[]): ReadonlySet<string> {
  const folder = openOutputFolder(GENERATED);
  const lock = folder.read(LOCK_FILE);
  const isThere = (path: string) =>
    isMigrationPath(path) && (folder.read(path) !== undefined || lock?.includes(`${JSON.stringify(path)}: `));
  const chosen = given.map((each) => {
    const path = relative(GENERATED, each).replaceAll(sep, "/");
    if (isThere(path)) return path;
    throw new UsageError(
      `${each} is no migration of this mesh`,
      `name one by its path: ${GENERATED}/<service>/migrations/<name>.sql`,
    );
  });
  const paths = withFollowers(chosen, folder);
  const isCommitted = openCommitted();
  const committed = [...paths].find((each) => isCommitted(each) === true);
  if (committed === undefined) return paths;
  throw new UsageError(
    `a commit has ${GENERATED}/${committed}, so databases of others may have had it`,
    "say in mesh.yaml what is to be otherwise: that becomes a further migration",
  );
}
