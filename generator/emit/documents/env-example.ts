import type { EnvironmentVariable, Mesh, Service } from "../../model/mesh.js";
import { ownServices } from "../../model/own-services.js";
import { shellComment, shellExample, shellWord } from "../../quote/shell.js";
import { sentence } from "../wording.js";
import { folded } from "./markdown.js";

/** A variable across the services and commands that read it. */
export interface SharedVariable {
  readonly name: string;
  readonly description: string;
  readonly readers: readonly Reader[];
}

export interface Reader {
  readonly service: string;
  readonly required: boolean;
  readonly default: string | undefined;
  readonly example: string | undefined;
}

/**
 * Every variable once: those that must be set, then the others, each part in the order in which the services name them;
 * last those that no service may have.
 */
export function sharedVariables(mesh: Mesh): readonly SharedVariable[] {
  const variables = new Map<string, { description: string; readers: Reader[] }>();
  for (const service of ownServices(mesh.services)) {
    for (const variable of service.environment) {
      const known = variables.get(variable.name) ?? { description: variable.description, readers: [] };
      known.readers.push(reader(service, variable));
      variables.set(variable.name, known);
    }
  }
  const isRequired = ({ readers }: SharedVariable) => readers.some(({ required }) => required);
  const sorted = [...variables]
    .map(([name, { description, readers }]) => ({ name, description, readers }))
    .sort((a, b) => Number(isRequired(b)) - Number(isRequired(a)));
  return [...sorted, ...ownerVariables(mesh)];
}

function ownerVariables({ databases, services }: Mesh): readonly SharedVariable[] {
  const own = new Set(ownServices(services).map(({ name }) => name));
  return databases
    .filter(({ service }) => own.has(service))
    .map(({ name, shared, urlVariable, ownerUrlVariable, roles }) => ({
      name: ownerUrlVariable,
      description: `PostgreSQL URL of ${roles.owner}, who owns ${shared === undefined ? name : `the tables of ${name}`} and migrates ${shared === undefined ? "it" : "them"}; ${urlVariable} where it is not set`,
      readers: ["mesh migrate", "mesh dev"].map((command) => ({
        service: command,
        required: false,
        default: undefined,
        example: `postgres://${roles.owner}:password@localhost:5432/${shared?.with ?? name}`,
      })),
    }));
}

/** Whether the variable means the same to each of its readers. */
export function isUniform(variable: SharedVariable): boolean {
  return variable.readers.every(
    ({ required, default: value }) =>
      required === variable.readers[0]?.required && value === variable.readers[0]?.default,
  );
}

function reader(service: Service, variable: EnvironmentVariable): Reader {
  return {
    service: service.name,
    required: variable.required,
    default: variable.default,
    example: variable.example,
  };
}

export interface EnvironmentView {
  readonly header: string;
  readonly variables: readonly { readonly comments: readonly string[]; readonly lines: readonly string[] }[];
}

/** .env.example: what must be set stands ready to be filled in, what has a default is commented out. */
export function environmentView(mesh: Mesh, header: string): EnvironmentView {
  return {
    header,
    variables: sharedVariables(mesh).map((variable) => ({
      comments: [shellComment(`${sentence(folded(variable.description))} Read by ${names(variable)}.`)],
      lines: isUniform(variable)
        ? variable.readers.slice(0, 1).map(line(variable))
        : variable.readers.map(ownLine(variable)),
    })),
  };
}

function line(variable: SharedVariable): (reader: Reader) => string {
  return ({ required, default: value, example }) =>
    required
      ? `${variable.name}=${shellExample(example ?? "")}`
      : shellComment(`${variable.name}=${shellWord(value ?? example ?? "")}`);
}

/** One file serves all services, so a variable that differs between them can only be shown. */
function ownLine(variable: SharedVariable): (reader: Reader) => string {
  return (reader) =>
    shellComment(`${variable.name}=${shellWord(reader.default ?? reader.example ?? "")} (${reader.service})`);
}

function names(variable: SharedVariable): string {
  return variable.readers.map((reader) => reader.service).join(", ");
}
