import { clip } from "../text/clip.js";

/*
 * RFC 9457 problem documents: the body of every answer that is no success.
 */

const KINDS = {
  malformed: [400, "The request is malformed"],
  filter: [400, "The filter is not one of this resource"],
  unauthorized: [401, "The key is missing or wrong"],
  forbidden: [403, "The key does not open this"],
  "not-found": [404, "There is no such resource"],
  method: [405, "The resource does not have this method"],
  slow: [408, "The request took too long to arrive"],
  taken: [409, "The value is already taken"],
  reference: [409, "The reference does not hold"],
  large: [413, "The request is too large"],
  media: [415, "The body's media type is not supported"],
  invalid: [422, "The row is not valid"],
  headers: [431, "The request's headers are too large"],
  internal: [500, "The service failed"],
  unavailable: [503, "The service cannot do this at the moment"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemKind = keyof typeof KINDS;

export interface ProblemPart {
  /** JSON Pointer into the request body. */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance?: string;
  readonly errors?: readonly ProblemPart[];
}

export interface ProblemOptions extends ErrorOptions {
  readonly errors?: readonly ProblemPart[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown while a request is handled, it becomes the answer. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly errors: readonly ProblemPart[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly kind: ProblemKind,
    /** About this occurrence, for a person. Anyone may read it: causes are for the log. */
    readonly detail: string,
    options: ProblemOptions = {},
  ) {
    super(detail, options);
    this.status = KINDS[kind][0];
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
  }
}

/** A problem 503. `seconds`: after which a retry makes sense. */
export function unavailable(detail: string, seconds: number, cause?: unknown): Problem {
  return new Problem("unavailable", detail, { headers: { "retry-after": String(seconds) }, cause });
}

export const PROBLEM_TYPE = "application/problem+json";

/** Most findings in an answer: the sender of a body could cause any number. */
const MOST_PARTS = 50;

export function problemDocument(problem: Problem, instance?: string): ProblemDocument {
  return {
    type: `urn:meshwright:problem:${problem.kind}`,
    title: KINDS[problem.kind][1],
    status: problem.status,
    ...(problem.detail === "" ? {} : { detail: clip(problem.detail) }),
    ...(instance === undefined ? {} : { instance: clip(instance) }),
    ...(problem.errors.length === 0 ? {} : { errors: problem.errors.slice(0, MOST_PARTS).map(clipPart) }),
  };
}

function clipPart({ pointer, detail }: ProblemPart): ProblemPart {
  return { pointer: clip(pointer), detail: clip(detail) };
}
