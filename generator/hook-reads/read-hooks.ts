import type { ts } from "ts-morph";
import { openFlow, payloadOf } from "../flow/flow.js";
import type { HookRead, HookReads, HookRemark } from "../flow/hook-reads.js";
import type { Consumer, Mesh, Service } from "../model/mesh.js";
import { EVERY_EVENT_HOOK } from "../model/names.js";
import { usesOfParameter } from "./follow-value.js";
import { type HookProgram, lineOf, openHookProgram, type ProjectFiles } from "./hook-program.js";
import { statementsOf } from "./own-statements.js";
import {
  exportOf,
  functionsOfMember,
  type Member,
  membersOf,
  nameOfMember,
  valueOfMember,
} from "./resolve-value.js";
import { eventsTold, type PublisherNames } from "./told-events.js";

/**
 * What the hooks of a mesh read of the events and rows that they are given. `paths`: the file of each service's hooks, from the project's folder.
 * A value is followed through variables, patterns and functions of the project; what is handed to anybody else counts as read whole.
 */
export function readHooks(
  mesh: Mesh,
  { paths, files }: { readonly paths: ReadonlyMap<string, string>; readonly files: ProjectFiles },
): HookReads {
  const program = openHookProgram([...paths.values()], files);
  const known = new Map<string, HookRead>();
  const remarks: HookRemark[] = [];
  for (const service of mesh.services) {
    const path = paths.get(service.name);
    if (service.external || path === undefined) continue;
    const found = readService(service, { program, path, mesh });
    if ("reason" in found) remarks.push({ service: service.name, file: path, ...found });
    else for (const [name, read] of found.reads) known.set(`${service.name} ${name}`, read);
  }
  return {
    find: ({ service, consumer, name }) => known.get(`${service} ${hookKey(consumer, name)}`),
    remarks,
  };
}

function hookKey(consumer: string | undefined, name: string): string {
  return consumer === undefined ? name : `${consumer}.${name}`;
}

interface Place {
  readonly program: HookProgram;
  readonly path: string;
  readonly mesh: Mesh;
}

type Found =
  | { readonly reads: readonly (readonly [string, HookRead])[] }
  | Omit<HookRemark, "service" | "file">;

function readService(service: Service, { program, path, mesh }: Place): Found {
  const file = program.file(path);
  if (file === undefined) return { line: undefined, reason: "it cannot be read" };
  const broken = program.syntaxError(file);
  if (broken !== undefined) return { line: broken.line, reason: `it does not compile: ${broken.message}` };
  const { checker } = program;
  const name = `${service.names.value}Hooks`;
  const made = exportOf(file, "default", checker) ?? exportOf(file, name, checker);
  const members = made && membersOf(made, checker);
  if (members === undefined)
    return { line: undefined, reason: `how "${name}" is made is not to be seen from the file` };
  const publisher: PublisherNames = {
    name: `${service.names.value}Publisher`,
    methods: new Map(
      mesh.events
        .filter((event) => event.service === service.name)
        .map((event) => [event.names.value, event.name]),
    ),
  };
  return {
    reads: [...hooksOf(service, mesh)].flatMap((hook): readonly (readonly [string, HookRead])[] => {
      const own = hook.consumer === undefined ? members : membersUnder(hook.consumer, members, program);
      const member = own.find((candidate) => nameOfMember(candidate) === hook.name);
      if (member === undefined) return [];
      return [[hookKey(hook.consumer, hook.name), readHook({ ...hook, publisher }, member, program)]];
    }),
  };
}

function membersUnder(name: string, members: readonly Member[], { checker }: HookProgram): readonly Member[] {
  const member = members.find((candidate) => nameOfMember(candidate) === name);
  const value = member && valueOfMember(member);
  return (value && membersOf(value, checker)) ?? [];
}

interface Hook {
  readonly consumer: string | undefined;
  readonly name: string;
  /** The member of its context that is followed. */
  readonly given: "event" | "row";
  /** What there is to read; undefined: events of any kind. */
  readonly parts: readonly string[] | undefined;
}

function hooksOf(service: Service, mesh: Mesh): readonly Hook[] {
  const flow = openFlow(mesh);
  return service.consumers.flatMap((consumer: Consumer): readonly Hook[] => [
    ...consumer.events.map(flow.event).map((event) => ({
      consumer: consumer.name,
      name: event.names.hook,
      given: "event" as const,
      parts: payloadOf(event).map(({ path }) => path),
    })),
    { consumer: consumer.name, name: EVERY_EVENT_HOOK, given: "event", parts: undefined },
    ...consumer.cascades.flatMap(({ before, table }): readonly Hook[] =>
      before === undefined
        ? []
        : [
            {
              consumer: undefined,
              name: before,
              given: "row",
              parts: flow.table({ database: service.database ?? "", table }).columns.map(({ name }) => name),
            },
          ],
    ),
  ]);
}

interface AskedHook extends Hook {
  readonly publisher: PublisherNames;
}

function readHook(hook: AskedHook, member: Member, { checker }: HookProgram): HookRead {
  const functions = functionsOfMember(member, checker);
  const [first] = functions;
  const at = placeOf(first ?? member);
  if (first === undefined)
    return { at, reads: "all", tells: [], runs: () => ({ tables: [], isWhole: false }) };
  const runs = () => {
    const each = functions.map((of) => statementsOf(of, hook.publisher, checker));
    return { tables: each.flatMap(({ tables }) => tables), isWhole: each.every(({ isWhole }) => isWhole) };
  };
  const tells = [...new Set(functions.flatMap((of) => eventsTold(of, hook.publisher, checker)))];
  const uses = functions
    .flatMap((of) => usesOfParameter(of, checker))
    .filter(([given]) => given === undefined || given === hook.given)
    .map(([, ...path]) => path);
  if (uses.some((path) => path.length === 0)) return { at, reads: "all", tells, runs };
  return { at, tells, runs, reads: [...new Set(uses.map((path) => partRead(path, hook)))] };
}

function placeOf(node: ts.Node): HookRead["at"] {
  const file = node.getSourceFile();
  return { file: file.fileName.slice(1), line: lineOf(file, node.getStart()) };
}

/** The field that a path of members leads into: of `name.length` it is `name`. */
function partRead(path: readonly string[], { parts }: Hook): string {
  if (path[0] === "metadata") return path.slice(0, 2).join(".");
  for (let length = path.length; length > 1; length -= 1) {
    const part = path.slice(0, length).join(".");
    if (parts?.includes(part) === true) return part;
  }
  return path[0] ?? "";
}
