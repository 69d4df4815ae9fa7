import { describe, expect, test } from "vitest";
import { changeOf } from "../../../generator/compatibility/change.js";
import { rolloutLines } from "../../../generator/compatibility/report/change-words.js";
import { joinRollout } from "../../../generator/compatibility/rollout.js";

/* How several changes are deployed together: release by release, and in which order of services. */

const hears = (...services: readonly string[]) => services.map((service) => ({ service, as: "hears it" }));
const of = (owner: string, others: readonly string[]) => ({
  path: ["subjects"],
  concerns: hears(...others),
  parties: { owner, others: others.join(", ") },
});
const consumersFirst = (message: string, owner: string, ...others: readonly string[]) =>
  changeOf("field-widened", { ...of(owner, others), message });
const publisherFirst = (message: string, owner: string, ...others: readonly string[]) =>
  changeOf("copy-added", { ...of(owner, others), message });
const dropped = (message: string, owner: string) =>
  changeOf("column-dropped", { ...of(owner, [owner]), message });
const configured = (message: string) => changeOf("port-changed", { ...of("auth", ["auth"]), message });
const removed = (message: string, owner: string, ...others: readonly string[]) =>
  changeOf("field-removed", { ...of(owner, others), message });
const harmless = changeOf("column-added", { path: [], message: "a column is new" });

describe("several changes that ask for different orders of deployment", () => {
  test("are told release by release, what is done by more than one of them once", () => {
    const changes = [
      dropped("a goes", "auth"),
      removed("b goes", "auth", "files"),
      consumersFirst("c is wider", "auth", "files", "jobs"),
      consumersFirst("d is wider", "files", "mailer"),
      dropped("e goes", "auth"),
      configured("auth listens elsewhere"),
      harmless,
    ];
    expect(rolloutLines(changes)).toEqual([
      "release 1: bring the broker, variables and roles up to date (mesh provision, generated/), then deploy: auth listens elsewhere",
      "release 1: auth no longer uses it (null: true, or a default): a goes; e goes",
      "release 1: files can do without it: b goes",
      "release 1: deploy jobs, mailer, then files, then auth",
      "release 2: drop it, with --allow-destructive: a goes; e goes",
      "release 2: auth no longer sends it: b goes",
    ]);
  });

  test("contradict each other where one service would come both before and after another", () => {
    const changes = [
      consumersFirst("c is wider", "auth", "files"),
      publisherFirst("d is new", "auth", "files"),
    ];
    expect(rolloutLines(changes)).toEqual([
      "release 1: deploy files, then auth",
      "release 2: deploy auth, then files",
      'not in one release: "c is wider" asks to deploy files to the last replica, then auth, and "d is new" asks to deploy auth to the last replica, then files: make the second edit in release 2',
    ]);
  });

  test("contradict each other over a third one as well", () => {
    const changes = [
      consumersFirst("c is wider", "auth", "files"),
      consumersFirst("d is wider", "files", "jobs"),
      consumersFirst("e is wider", "jobs", "auth"),
    ];
    expect(joinRollout(changes)?.releases.map(({ sequence }) => sequence)).toEqual([
      [["jobs"], ["files"], ["auth"]],
      [["auth"], ["jobs"]],
    ]);
    expect(joinRollout(changes)?.conflicts).toHaveLength(1);
  });

  test("name the first of very many, and how many more there are", () => {
    const changes = [..."abcdef"].map((name) => dropped(`${name} goes`, "auth"));
    expect(rolloutLines([...changes, configured("a port")])[1]).toBe(
      "release 1: auth no longer uses it (null: true, or a default): a goes; b goes; c goes; d goes; and 2 more",
    );
  });
});

test("changes that ask for the same, or for nothing, have no order of their own as a whole", () => {
  expect(joinRollout([])).toBeUndefined();
  expect(joinRollout([harmless, dropped("a goes", "auth"), dropped("b goes", "auth")])).toBeUndefined();
});
