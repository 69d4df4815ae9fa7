import type { MeshEvent } from "@meshwright/runtime";
import type { LoggedMessage } from "./broker/index.js";

/** What a message says, so far as it is an event. */
interface MessageBody {
  readonly metadata?: Partial<MeshEvent["metadata"]>;
  readonly [field: string]: unknown;
}

/** Undefined where it is no JSON object, as that of poison may be. */
export function bodyOf({ body }: LoggedMessage): MessageBody | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString());
    return typeof parsed === "object" && parsed !== null ? (parsed as MessageBody) : undefined;
  } catch {
    return undefined;
  }
}

export function metadataOf(message: LoggedMessage): Partial<MeshEvent["metadata"]> {
  return bodyOf(message)?.metadata ?? {};
}
