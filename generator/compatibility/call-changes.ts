import type { Call, Mesh } from "../model/mesh.js";
import { type Change, changeOf } from "./change.js";
import type { Meshes } from "./meshes.js";
import { pairUp } from "./pair-up.js";
import { partiesOf } from "./readers.js";
import { isServedElsewhere } from "./service-changes.js";

/** What services may ask each other for. What syncs imply is said of the copy. */
export function compareCalls(meshes: Meshes): readonly Change[] {
  const { before, next } = meshes;
  const key = ({ caller, callee }: Call) => `${caller} ${callee}`;
  const grants = (call: Call | undefined, mesh: Mesh) => {
    const implied = call === undefined ? [] : pathsRead(call, mesh);
    return (call?.grants ?? [])
      .flatMap(({ path, verbs }) => verbs.map((verb) => ({ path, verb })))
      .filter(({ path, verb }) => verb !== "get" || !implied.includes(path))
      .map(({ path, verb }) => `${verb.toUpperCase()} ${path}`);
  };
  return pairUp(before.calls, next.calls, key).flatMap(([old, now]) => {
    const { caller, callee } = (now ?? old) as Call;
    const [was, is] = [grants(old, before), grants(now, next)];
    const [lost, gained] = [
      was.filter((grant) => !is.includes(grant)),
      is.filter((grant) => !was.includes(grant)),
    ];
    const concerns = [{ service: caller, as: "calls it" }];
    const isDemanded = old?.optional === true && now?.optional !== true && now !== undefined;
    const said = {
      path: ["services", caller, "calls", callee],
      concerns,
      parties: partiesOf(callee, concerns, next),
    };
    return [
      ...(lost.length === 0
        ? []
        : [
            changeOf("call-removed", {
              ...said,
              message: `${caller} may no longer ask ${callee} for ${lost.join(", ")}`,
              ...(lost.every((grant) =>
                isServedElsewhere(callee, grant.slice(grant.indexOf(" ") + 1), meshes),
              ) && {
                order: "both-paths",
              }),
            }),
          ]),
      ...(gained.length === 0
        ? []
        : [
            changeOf("call-added", {
              ...said,
              message: `${caller} may ask ${callee} for ${gained.join(", ")}`,
            }),
          ]),
      ...(isDemanded && gained.length === 0
        ? [
            changeOf("variable-required", {
              ...said,
              message: `${caller} needs ${now.urlVariable}, and started without it`,
            }),
          ]
        : []),
    ];
  });
}

/** What the caller reads for its copies, and to see which entities there are. */
function pathsRead({ caller, callee }: Call, { databases, services }: Mesh): readonly string[] {
  const copies = databases.filter(({ service }) => service === caller).flatMap(({ tables }) => tables);
  const consumers = services.find(({ name }) => name === caller)?.consumers ?? [];
  return [...copies.map(({ cache }) => cache?.sync), ...consumers.map(({ source }) => source)].flatMap(
    (read) => (read?.service === callee ? [read.path] : []),
  );
}
