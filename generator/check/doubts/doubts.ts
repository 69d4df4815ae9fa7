import { type Rank, ranks } from "../../diagnostics/definition.js";
import { definitionOf } from "../../diagnostics/registry.js";
import type { Report, Say } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { Span } from "../../source/text.js";
import { looksAt } from "./looks-at.js";
import { type Part, type Parts, partsOf } from "./parts.js";

/*
 * One mistake, one diagnostic. A rule that looks at something that was misread, or that names what does not exist,
 * finds more mistakes which only follow from that one. So what the rules find is held back, and told unless the part
 * of the file that it is in, or a part that such rules look at, has a mistake that comes first: misread before
 * misnamed before all others.
 */

interface Finding {
  readonly rank: Rank;
  readonly span: Span;
  readonly tell: () => void;
}

/** Runs the check and tells what follows from nothing else that it finds. */
export function tellCauses(program: Program, report: Report, check: (report: Report) => void): void {
  const found: Finding[] = [];
  const hold: Say = (code, span, parameters, clue) => {
    const tell = () => report(code, span, parameters, clue);
    found.push({ rank: definitionOf(code).rank, span, tell });
  };
  check(Object.assign(hold, { nearest: report.nearest }));
  if (found.length === 0) return;
  const parts = partsOf(program);
  const doubts = new Map<Part, Doubt>();
  for (const part of parts.all) if (part.isMisread) doubts.set(part, "misread");
  const innermost = findInnermost(found, parts);
  for (const rank of ranks) {
    const told = found.flatMap((finding) => {
      if (finding.rank !== rank) return [];
      const at = innermost.get(finding.span.start) ?? [];
      return at.some((part) => followsFrom(finding, part, { doubts, parts, program }))
        ? []
        : [{ finding, at }];
    });
    for (const { finding, at } of told) {
      finding.tell();
      if (rank !== "meaning") for (const part of at) doubts.set(part, doubts.get(part) ?? rank);
    }
  }
}

/** The innermost parts at each finding's start: several where an anchored block is used by them. One pass over both, by their starts. */
function findInnermost(found: readonly Finding[], { all }: Parts): ReadonlyMap<number, readonly Part[]> {
  const ranges = all
    .flatMap((part) => part.ranges.map(({ start, end }) => ({ part, start, end: Math.max(end, start + 1) })))
    .sort((a, b) => a.start - b.start);
  const innermost = new Map<number, readonly Part[]>();
  let next = 0;
  let open: typeof ranges = [];
  for (const { span } of found.toSorted((a, b) => a.span.start - b.span.start)) {
    if (innermost.has(span.start)) continue;
    open = open.filter(({ end }) => span.start < end);
    for (let range = ranges[next]; range !== undefined && range.start <= span.start; range = ranges[++next])
      if (span.start < range.end) open.push(range);
    const holders = new Set(open.map(({ part }) => part));
    const outer = new Set([...holders].flatMap(({ around }) => around ?? []));
    innermost.set(
      span.start,
      [...holders].filter((part) => !outer.has(part)),
    );
  }
  return innermost;
}

type Doubt = Exclude<Rank, "meaning">;

interface Doubts {
  readonly doubts: ReadonlyMap<Part, Doubt>;
  readonly parts: Parts;
  readonly program: Program;
}

/**
 * Whether the finding in the part may follow from a mistake in it, around it, or in what its rules look at. A name that
 * leads nowhere says nothing about the rest of its part, but about the part as a whole, which is told at its name.
 */
function followsFrom({ span }: Finding, part: Part, { doubts, parts, program }: Doubts): boolean {
  const isOfWhole = part.name?.start === span.start;
  if (hasDoubt(part, (doubt) => doubt === "misread" || isOfWhole, doubts)) return true;
  for (let around = part.around; around !== undefined; around = around.around)
    if (doubts.get(around) === "misread") return true;
  return looksAt(part.about, program).some((key) => {
    const seen = parts.of(key);
    return seen !== undefined && seen !== part && hasDoubt(seen, () => true, doubts);
  });
}

/** A section is in doubt where its names were misread, and so is a database; what else has parts, where one of them is. */
function hasDoubt(part: Part, counts: (doubt: Doubt) => boolean, doubts: Doubts["doubts"]): boolean {
  const own = doubts.get(part);
  if (own !== undefined && counts(own)) return true;
  const { kind } = part.about;
  if (kind === "file" || kind === "section" || kind === "database") return false;
  return part.within.some((inner) => hasDoubt(inner, counts, doubts));
}
