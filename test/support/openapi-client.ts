import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "vitest";

interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<string, { readonly $ref?: string }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly responses: Readonly<Record<string, unknown>> };
}

export interface OpenApiCall {
  readonly id?: string;
  readonly query?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the client's. */
  readonly key?: string;
}

export interface OpenApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** A client that knows nothing but a service's OpenAPI document, and holds each request and answer against it. */
export interface OpenApiClient {
  readonly document: Document;
  /** By operation id. The answer's status and body must be among those of the document. */
  call(operationId: string, request?: OpenApiCall): Promise<OpenApiAnswer>;
  /** The operations that were never called. */
  uncalled(): readonly string[];
}

const METHODS = ["get", "post", "patch", "delete"];

export async function openApiClient(url: string, key: string): Promise<OpenApiClient> {
  const fetched = await fetch(`${url}/openapi.json`, { headers: { authorization: `Bearer ${key}` } });
  const document = (await fetched.json()) as Document;
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(document, "api");
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ path, method, operation }];
    }),
  );
  const left = new Set(operations.map(({ operation }) => operation.operationId));
  const check = (pointer: readonly string[], value: unknown) => {
    const at = `api#/${pointer.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/")}`;
    const validate = ajv.getSchema(at);
    if (validate === undefined) throw new Error(`the document has no schema at ${at}`);
    return validate(value) ? [] : (validate.errors ?? []);
  };
  return {
    document,
    uncalled: () => [...left],
    async call(operationId, { id = "", query = "", body, headers, key: given = key } = {}) {
      const found = operations.find(({ operation }) => operation.operationId === operationId);
      if (found === undefined) throw new Error(`the document has no operation ${operationId}`);
      const { path, method, operation } = found;
      const isOpen = operation.security?.length === 0;
      const response = await fetch(url + path.replace("{id}", encodeURIComponent(id)) + query, {
        method: method.toUpperCase(),
        headers: {
          ...(isOpen ? {} : { authorization: `Bearer ${given}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      left.delete(operationId);
      const status = String(response.status);
      const told = operation.responses[status];
      expect(Object.keys(operation.responses), `${operationId} answered ${status}`).toContain(status);
      const text = await response.text();
      const type = response.headers.get("content-type")?.split(";")[0] ?? "";
      const isJson = type.endsWith("json");
      const value: unknown = text === "" ? undefined : isJson ? JSON.parse(text) : text;
      const place = told?.$ref?.slice(2).split("/") ?? ["paths", path, method, "responses", status];
      if (value !== undefined) expect(check([...place, "content", type, "schema"], value), text).toEqual([]);
      if (body !== undefined && response.ok)
        expect(
          check(["paths", path, method, "requestBody", "content", "application/json", "schema"], body),
        ).toEqual([]);
      return { status: response.status, headers: response.headers, body: value };
    },
  };
}
