import type { DiffPaint } from "../../compatibility/report/diff-text.js";
import { colour } from "../../terminal/terminal.js";

export const DIFF_PAINT: DiffPaint = {
  place: colour.cyan,
  label: colour.dim,
  class(text, of) {
    switch (of) {
      case "destructive":
      case "breaking-publisher":
      case "breaking-consumer":
        return colour.bold(colour.red(text));
      case "operational":
        return colour.bold(colour.yellow(text));
      case "compatible":
        return colour.bold(colour.green(text));
      default:
        return of satisfies never;
    }
  },
};
