import { stringify } from "yaml";
import { type Draw, openDraw, pick } from "../../support/draw.js";
import { type Base, faulty, sound } from "./bases.js";
import { GENTLE_EDITS } from "./gentle-edits.js";
import { LINE_EDITS, renameThroughout } from "./line-edits.js";
import { TREE_EDITS, type TreeEdit } from "./tree-edits.js";

/** What somebody who edits, merges and moves blocks about may leave behind. The same for the same seed. */
export interface MutatedMesh {
  /** Which mesh.yaml it was made of. */
  readonly base: string;
  readonly before: string;
  readonly text: string;
}

export function mutatedMesh(seed: number): MutatedMesh {
  const draw = openDraw(seed);
  const base = pick(draw(8) === 0 ? faulty : sound, draw);
  const times = 1 + draw(draw(4) === 0 ? 5 : 2);
  const kind = draw(4);
  const text =
    kind === 0
      ? editLines(base, times, draw)
      : editTree(base, { times, edits: kind === 1 ? TREE_EDITS : GENTLE_EDITS }, draw);
  return { base: base.name, before: base.text, text };
}

interface TreeEdits {
  readonly times: number;
  readonly edits: readonly TreeEdit[];
}

function editTree(base: Base, { times, edits }: TreeEdits, draw: Draw): string {
  const mesh = structuredClone(base.mesh);
  for (let left = times; left > 0; left -= 1) pick(edits, draw)(mesh, draw);
  const text = stringify(mesh, { aliasDuplicateObjects: false });
  return draw(4) === 0 ? renameThroughout(text, draw) : text;
}

function editLines(base: Base, times: number, draw: Draw): string {
  let lines = base.text.split("\n");
  for (let left = times; left > 0; left -= 1) lines = pick(LINE_EDITS, draw)(lines, draw);
  return lines.join("\n");
}
