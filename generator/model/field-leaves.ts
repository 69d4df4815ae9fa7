import type { Event, Field } from "./mesh.js";

/** The fields of an event, with those within objects in place of the objects. */
export function leavesOf({ payload }: Pick<Event, "payload">): readonly Field[] {
  return payload.flatMap((field) =>
    field.source?.kind === "object" ? leavesOf({ payload: field.source.fields }) : [field],
  );
}

/** Whether the field shows this column of the emitting row, as it is now. */
export function showsColumn({ source }: Field, column: string): boolean {
  return source?.kind === "column" && source.column === column;
}
