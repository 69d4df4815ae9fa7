import type { HookRemark } from "../../flow/hook-reads.js";
import { colour, tell } from "../../terminal/terminal.js";

/** Names the hooks of which it is not known what they read, beside an answer that depends on it. */
export function tellRemarks(remarks: readonly HookRemark[]): void {
  for (const { file, line, reason } of remarks) {
    const at = line === undefined ? file : `${file}:${line}`;
    tell(colour.yellow(`${at}: ${reason}; what these hooks read is not known`));
  }
}
