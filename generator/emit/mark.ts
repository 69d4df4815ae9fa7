import { HEADER } from "./file.js";
import { METADATA_SCHEMA } from "./json-schema/event.js";

/** Whether a text says that a run wrote it. JSON has no comments: an event's schema is recognised by the keys that each has. */
export function isMarked(path: string, text: string): boolean {
  if (!path.endsWith(".json")) return text.slice(0, 200).split("\n", 1)[0]?.includes(HEADER) === true;
  const [folder, name, ...rest] = path.split("/");
  return folder === "schemas" && name !== undefined && rest.length === 0 && isEventSchema(text, name);
}

function isEventSchema(text: string, name: string): boolean {
  try {
    const { $id, properties } = JSON.parse(text) as {
      readonly $id?: unknown;
      readonly properties?: { readonly metadata?: { readonly required?: unknown } };
    };
    const demanded = JSON.stringify(METADATA_SCHEMA.required);
    return $id === name && JSON.stringify(properties?.metadata?.required) === demanded;
  } catch {
    return false;
  }
}
