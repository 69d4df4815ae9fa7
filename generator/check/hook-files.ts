import { suggest } from "../diagnostics/suggest.js";
import type { Mesh, Service } from "../model/mesh.js";
import { ownServices } from "../model/own-services.js";
import { findUnmadeEvents } from "./lost-events.js";

/** A file of the hooks folder, as it is written. */
export interface HookFile {
  /** `compute.ts` */
  readonly name: string;
  readonly text: string;
}

export interface HookFinding {
  readonly code:
    | "missing-hook"
    | "unknown-hook"
    | "unknown-hook-file"
    | "unexported-hooks"
    | "hook-of-lost-event";
  readonly message: string;
  readonly hint: string;
  /** The keys that lead to what asks for it in mesh.yaml; undefined: it is about the file. */
  readonly path?: readonly string[];
  readonly file?: string;
}

export const HOOKS_FOLDER = "hooks";

/** What mesh.yaml is warned of for its hooks, and may say that it is right so. */
export const hookWarnings = [
  "missing-hook",
  "hook-of-lost-event",
] as const satisfies readonly HookFinding["code"][];

/**
 * What can be seen of hooks without running them: files that fit no service, steps that a rule names and no
 * file mentions, handlers that fit no event. Advice only: `MESH_HOOKS` may name another module, and a service
 * looks at what was really exported when it starts.
 */
export function findHookMistakes(mesh: Mesh, files: readonly HookFile[]): readonly HookFinding[] {
  const services = ownServices(mesh.services);
  const byService = new Map(files.map((file) => [stem(file), file]));
  return [
    ...services.flatMap((service) => missingSteps(service, byService.get(service.name))),
    ...services.flatMap((service) => unmadeEvents(service, mesh, byService.get(service.name))),
    ...services.flatMap((service) => misspeltHandlers(service, mesh, byService.get(service.name))),
    ...strayFiles(services, files),
  ];
}

/** `compute.ts` and `compute.js` are one. */
export function stem({ name }: Pick<HookFile, "name">): string {
  return name.replace(/\.[jt]s$/, "");
}

function missingSteps(service: Service, file: HookFile | undefined): readonly HookFinding[] {
  const steps = service.consumers.flatMap(({ cascades }) => cascades.flatMap(({ before }) => before ?? []));
  return [...new Set(steps)].flatMap((step): readonly HookFinding[] => {
    if (file !== undefined && mentions(file.text, step)) return [];
    const path = ["services", service.name];
    const place = `${HOOKS_FOLDER}/${file?.name ?? `${service.name}.ts`}`;
    const what = file === undefined ? "does not exist" : "does not mention it";
    return [
      {
        code: "missing-hook",
        message: `a rule calls "${step}" of "${service.name}", but ${place} ${what}: the service would not start`,
        hint: `write it into ${place}, in the export "${service.names.value}Hooks" of type "${service.names.type}Hooks"`,
        path,
      },
    ];
  });
}

/** A snapshot finds the events that were lost and calls their hooks, where it can make the events. */
function unmadeEvents(service: Service, mesh: Mesh, file: HookFile | undefined): readonly HookFinding[] {
  if (file === undefined) return [];
  return findUnmadeEvents(service, mesh).flatMap(({ event, field, shows }): readonly HookFinding[] => {
    const { hook } = event.names;
    if (!mentions(file.text, hook)) return [];
    return [
      {
        code: "hook-of-lost-event",
        message: `where an event was lost, a snapshot cannot make "${event.name}" for "${hook}" of "${service.name}": "${field.name}" must be there, and shows ${shows}`,
        hint: `make it optional (type: …?), and let the hook do without it`,
        path: ["subjects", event.subject, "payload", field.name],
      },
    ];
  });
}

export function mentions(text: string, word: string): boolean {
  return new RegExp(`\\b${word}\\b`).test(text);
}

function misspeltHandlers(service: Service, mesh: Mesh, file: HookFile | undefined): readonly HookFinding[] {
  if (file === undefined) return [];
  const heard = new Set(service.consumers.flatMap(({ events }) => events));
  const hooks = mesh.events.filter(({ name }) => heard.has(name)).map(({ names }) => names.hook);
  const place = `${HOOKS_FOLDER}/${file.name}`;
  const found = new Set([...file.text.matchAll(/\b(on[A-Z]\w*)\s*[(:]/g)].map(([, name = ""]) => name));
  const unknown = [...found].flatMap((name): readonly HookFinding[] => {
    const meant = hooks.includes(name) ? undefined : suggest(name, hooks);
    if (meant === undefined) return [];
    return [
      {
        code: "unknown-hook",
        message: `"${name}" fits no event that "${service.name}" hears`,
        hint: `did you mean "${meant}"?`,
        file: place,
      },
    ];
  });
  const exported = `${service.names.value}Hooks`;
  if (mentions(file.text, exported) || /\bexport\s+(default\b|\{|\*)/.test(file.text)) return unknown;
  return [
    ...unknown,
    {
      code: "unexported-hooks",
      message: `it exports neither "${exported}" nor a default: "${service.name}" would not start`,
      hint: `write "export const ${exported}: ${service.names.type}Hooks = { … };"`,
      file: place,
    },
  ];
}

/** Not the helpers of other hooks: what nobody imports, and looks like hooks or is nearly named after a service. */
function strayFiles(services: readonly Service[], files: readonly HookFile[]): readonly HookFinding[] {
  const names = services.map(({ name }) => name);
  const taken = new Set(files.map(stem));
  return files
    .filter((file) => !names.includes(stem(file)) && !files.some((other) => imports(other, file)))
    .flatMap((file): readonly HookFinding[] => {
      const free = names.filter((name) => !taken.has(name));
      const meant = suggest(stem(file), free) ?? free.find((name) => name === stem(file).toLowerCase());
      const looksLikeHooks = /\bexport\s+(default\b|const\s+\w+Hooks\b)/.test(file.text);
      if (meant === undefined && !looksLikeHooks) return [];
      return [
        {
          code: "unknown-hook-file",
          message: "no service is called so, and nothing imports it: nobody will load it",
          hint:
            meant === undefined
              ? `the services are ${names.join(", ")}`
              : `did you mean "${HOOKS_FOLDER}/${meant}${file.name.slice(stem(file).length)}"?`,
          file: `${HOOKS_FOLDER}/${file.name}`,
        },
      ];
    });
}

function imports(from: HookFile, file: HookFile): boolean {
  return from !== file && new RegExp(`["']\\./${escapeRegExp(stem(file))}(\\.[jt]s)?["']`).test(from.text);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^$()|[\]{}\\]/g, "\\$&");
}
