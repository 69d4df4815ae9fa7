import type { JsonSchema } from "../model/mesh.js";

/** Of subjects.json. */
export interface SubjectBefore {
  readonly service: string;
  readonly entity: string;
  readonly action: string;
  readonly subscribers: readonly string[];
}

/** Of the last run's files. One that is not there, or that a merge has left broken, counts as empty. */
export interface Before {
  readonly subjects: readonly SubjectBefore[];
  readonly schemaOf: (fileName: string) => JsonSchema | undefined;
}

export function readBefore(read: (path: string) => string | undefined): Before {
  const document = parse<{ readonly subjects?: readonly SubjectBefore[] }>(read("subjects.json"));
  return {
    subjects: document?.subjects ?? [],
    schemaOf: (fileName) => parse<JsonSchema>(read(`schemas/${fileName}`)),
  };
}

function parse<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
