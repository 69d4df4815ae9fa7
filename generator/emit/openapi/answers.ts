import type { JsonSchema, JsonValue } from "../../model/mesh.js";

/*
 * What the resources of all services have in common: problem documents (RFC 9457), and the answers that are one.
 */

const PROBLEM_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    type: { type: "string", pattern: "^urn:meshwright:problem:[a-z-]+$" },
    title: { type: "string" },
    status: { type: "integer", minimum: 400, maximum: 599 },
    detail: { type: "string" },
    instance: { type: "string", description: "The id of the request, as the service's log has it" },
    errors: {
      type: "array",
      items: {
        type: "object",
        properties: {
          pointer: { type: "string", description: "JSON Pointer into the body" },
          detail: { type: "string" },
        },
        required: ["pointer", "detail"],
      },
    },
  },
  required: ["type", "title", "status"],
};

const HEALTH_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    status: { enum: ["ready", "degraded", "unready"] },
    reasons: { type: "array", items: { type: "string" } },
    checks: { type: "object" },
  },
  required: ["status", "checks"],
};

export const COMMON_SCHEMAS = { Problem: PROBLEM_SCHEMA, Health: HEALTH_SCHEMA } as const;

/** Answers that are problems: status, name among the components, and when. */
const PROBLEMS = {
  400: ["Malformed", "The request is malformed, or filters by something that is no column"],
  401: ["Unauthorized", "The key is missing or wrong"],
  403: ["Forbidden", "The key does not open this"],
  404: ["NotFound", "There is no such row"],
  409: ["Conflict", "A value is taken, or a reference does not hold"],
  413: ["TooLarge", "The body, or the event that the row would mean, is too large"],
  415: ["MediaType", "The body is not application/json"],
  422: ["Invalid", "The row is not valid; each finding points into the body"],
  503: ["Unavailable", "The service cannot do this at the moment"],
} as const;

export type ProblemStatus = keyof typeof PROBLEMS;

export const PROBLEM_ANSWERS: { readonly [name: string]: JsonValue } = Object.fromEntries([
  ...Object.values(PROBLEMS).map(([name, description]) => [name, problemAnswer(description)]),
  ["Failed", problemAnswer("Any other failure")],
]);

function problemAnswer(description: string): JsonValue {
  return {
    description,
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
}

/** Each by reference, and one for all that may happen to any request. */
export function problemsOf(...statuses: readonly ProblemStatus[]): { readonly [status: string]: JsonValue } {
  const references = statuses.map((status) => [status, reference(PROBLEMS[status][0])] as const);
  return { ...Object.fromEntries(references), default: reference("Failed") };
}

function reference(name: string): JsonValue {
  return { $ref: `#/components/responses/${name}` };
}

export function jsonAnswer(
  description: string,
  schema: JsonValue,
  more: { readonly [key: string]: JsonValue } = {},
): JsonValue {
  return { description, ...more, content: { "application/json": { schema } } };
}
