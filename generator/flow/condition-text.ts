import type { Condition } from "../model/mesh.js";

/** `state is waiting or collected` */
export function conditionText({ column, values, isNull }: Condition): string {
  if (isNull !== undefined) return `${column} is ${isNull ? "null" : "not null"}`;
  return `${column} is ${values.map(String).join(" or ")}`;
}
