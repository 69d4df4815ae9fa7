import type { Chain } from "./chains.js";
import { isMigrationPath, type OutputFolder } from "./emit/file.js";
import { type ExistingMigration, migrationPath, readFollows } from "./migrations/lineage.js";
import { shellWord } from "./quote/shell.js";

/*
 * Migrations that no commit has, and so no database but those of whoever wrote them: `mesh generate --take-back` plans anew, as if they had
 * never been. Whoever returns to a former state of mesh.yaml needs no step then that destroys what another one has just made.
 */

type Reader = Pick<OutputFolder, "folders" | "list" | "read">;

/** The migrations at these paths of generated/, whether or not they are still there, and all that follow them. */
export function withFollowers(paths: readonly string[], folder: Reader): ReadonlySet<string> {
  const files = folder
    .folders()
    .flatMap((service) => folder.list(`${service}/migrations`).map((name) => migrationPath(service, name)))
    .filter(isMigrationPath)
    .map((each) => ({ path: each, name: nameOf(each), text: folder.read(each) ?? "" }));
  const names = new Set(paths.flatMap((path) => [...closure(nameOf(path), files)]));
  return new Set([...paths, ...files.filter(({ name }) => names.has(name)).map((file) => file.path)]);
}

/** As a command line, for a shell. */
export function takingBack(paths: readonly string[]): string {
  return `npx mesh generate --take-back ${paths.map((path) => shellWord(`generated/${path}`)).join(" ")}`;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function closure(first: string, files: readonly ExistingMigration[]): ReadonlySet<string> {
  const names = new Set([first]);
  // What is added on the way is gone through as well.
  for (const name of names)
    for (const file of files) if (readFollows(file.text)?.includes(name)) names.add(file.name);
  return names;
}

/** The folder as if these files were not there. */
export function folderWithout(folder: Reader, paths: ReadonlySet<string>): Reader {
  return {
    folders: () => folder.folders(),
    list: (name) => folder.list(name).filter((file) => !paths.has(`${name}/${file}`)),
    read: (path) => (paths.has(path) ? undefined : folder.read(path)),
  };
}

/** What each service is refused, and would not be without its youngest migrations. */
export interface Refused {
  /** Names, in the order of what was refused; undefined: it is no service's. */
  readonly services: readonly (string | undefined)[];
  readonly chains: readonly Chain[];
  /** Whether anything is refused of a service whose chain has these files. */
  readonly isRefused: (service: string, files: readonly ExistingMigration[]) => boolean;
  /** undefined: there is no repository that could tell. */
  readonly isCommitted: (path: string) => boolean | undefined;
}

/** The first of each service to be taken back, by path, so that nothing is refused; undefined where that cannot be had. */
export function findTakeBack({ services, chains, ...refused }: Refused): readonly string[] | undefined {
  const firsts = [...new Set(services)].map((service) => {
    const chain = chains.find((each) => each.service === service);
    return chain && findFirst(chain, refused);
  });
  return firsts.every((first) => first !== undefined) ? firsts : undefined;
}

/** Returning is usually to what was there a few saves ago. */
const MOST_TRIES = 50;

function findFirst(
  { service, files, oldPaths }: Chain,
  { isRefused, isCommitted }: Pick<Refused, "isRefused" | "isCommitted">,
): string | undefined {
  const pathOf = (name: string) =>
    oldPaths.find((path) => nameOf(path) === name) ?? `${service}/migrations/${name}`;
  // A name begins with how many come before.
  for (const { name } of files.toReversed().slice(0, MOST_TRIES)) {
    const taken = closure(name, files);
    if ([...taken].some((each) => isCommitted(pathOf(each)) === true)) return undefined;
    const left = files.filter((file) => !taken.has(file.name));
    if (!isRefused(service, left)) return pathOf(name);
  }
  return undefined;
}
