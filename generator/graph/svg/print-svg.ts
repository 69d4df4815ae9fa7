import { type Line, sentencesOf } from "../box-lines.js";
import { type ArrowKind, arrowKinds, type Picture } from "../picture.js";
import { type Card, KIND_SIZE, MARK, PADDING, type PlacedLine } from "./card.js";
import type { Layout, Point } from "./place-cards.js";
import { STYLE } from "./svg-style.js";
import { textWidth } from "./text-width.js";

const MARGIN = 20;

const LEGEND: Readonly<Record<ArrowKind, string>> = {
  cascade: "deletions cascade",
  copy: "a copy is kept",
  hooks: "hooks only",
};

/** The picture as one SVG that needs nothing else: colours for light and dark, text as text, and words for who cannot see it. */
export function printSvg(picture: Picture, cards: readonly Card[], layout: Layout): string {
  const kinds = arrowKinds.filter((kind) => picture.arrows.some((arrow) => arrow.kind === kind));
  const legend = layLegend(kinds, layout.width);
  const width = Math.max(layout.width, legend.width) + 2 * MARGIN;
  const height = layout.height + legend.height + 2 * MARGIN;
  const shift = Math.round((width - 2 * MARGIN - layout.width) / 2);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(picture.title)}</title>`,
    `<desc id="desc">${sentencesOf(picture).map(escaped).join("\n")}</desc>`,
    `<style>${STYLE}</style>`,
    `<defs>${kinds.map(arrowHead).join("")}</defs>`,
    `<rect class="page" width="${width}" height="${height}" rx="8"/>`,
    `<g transform="translate(${MARGIN + shift} ${MARGIN})">`,
    ...picture.arrows.map(({ kind, patterns }, at) => arrowLine(kind, patterns, layout.routes[at] ?? [])),
    ...cards.flatMap((card) => cardLines(card, layout.corners.get(card.box.id) ?? { x: 0, y: 0 })),
    "</g>",
    ...legend.lines.map(
      (line) => `<g transform="translate(${MARGIN} ${MARGIN + layout.height})">${line}</g>`,
    ),
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

function arrowHead(kind: ArrowKind): string {
  return `<marker id="${kind}-head" class="${kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 1 10 5 0 9z"/></marker>`;
}

function arrowLine(kind: ArrowKind, patterns: readonly string[], route: readonly Point[]): string {
  return `<path class="arrow ${kind}" d="${pathOf(route)}" marker-end="url(#${kind}-head)"><title>${escaped(patterns.join(", "))}</title></path>`;
}

const CORNER = 8;

/** Straight from bend to bend, each bend rounded. */
function pathOf(route: readonly Point[]): string {
  return route
    .map((point, at) => {
      const [before, after] = [route[at - 1], route[at + 1]];
      if (before === undefined) return `M${spot(point)}`;
      if (after === undefined) return `L${spot(point)}`;
      return `L${spot(towards(point, before))}Q${spot(point)} ${spot(towards(point, after))}`;
    })
    .join("");
}

/** From a bend towards its neighbour, at most half of the way. */
function towards(bend: Point, other: Point): Point {
  const length = Math.hypot(other.x - bend.x, other.y - bend.y);
  const share = length === 0 ? 0 : Math.min(CORNER, length / 2) / length;
  return { x: bend.x + (other.x - bend.x) * share, y: bend.y + (other.y - bend.y) * share };
}

function spot({ x, y }: Point): string {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}

function cardLines({ box, width, height, lines, rules }: Card, corner: Point): readonly string[] {
  const kind = rules.length === 0 && lines.length > 0 ? "" : box.kind;
  return [
    `<g transform="translate(${spot(corner)})">`,
    `<rect class="card${box.external ? " external" : ""}" width="${width}" height="${height}" rx="6"/>`,
    `<text class="title" x="${PADDING}" y="23">${escaped(box.title)}</text>`,
    ...(kind === "" ? [] : [`<text class="kind" x="${width - PADDING}" y="23">${escaped(kind)}</text>`]),
    ...rules.map((y) => `<path class="rule" d="M0 ${y}H${width}"/>`),
    ...lines.map(textLine),
    "</g>",
  ];
}

function textLine(line: PlacedLine): string {
  const { kind, text, x, y } = line;
  return `${mark(line, x - MARK, y - 9)}<text class="${kind}" x="${x}" y="${y}">${escaped(text)}</text>`;
}

/** What a line is, for the eye: an arrow that comes in, two sheets, a cross. */
function mark({ kind }: Line, x: number, y: number): string {
  switch (kind) {
    case "heard":
      return `<path class="mark heard" d="M${x} ${y + 5}h8m-3.5 -3.5 3.5 3.5 -3.5 3.5"/>`;
    case "copy":
      return `<path class="mark copy" d="M${x} ${y}h7v7h-7zM${x + 9.5} ${y + 2.5}v7h-7"/>`;
    case "cascade":
      return `<path class="mark cascade" d="M${x + 0.5} ${y + 1}l8 8m0 -8l-8 8"/>`;
    case "table":
    case "entity":
    case "note":
      return "";
    default:
      return kind satisfies never;
  }
}

function layLegend(kinds: readonly ArrowKind[], width: number) {
  const size = KIND_SIZE;
  const entries = kinds.map((kind) => ({
    kind,
    text: LEGEND[kind],
    width: 34 + textWidth(LEGEND[kind], { size }) + 24,
  }));
  let [x, y] = [0, 34];
  const lines: string[] = [];
  let most = 0;
  for (const { kind, text, width: needed } of entries) {
    if (x > 0 && x + needed > width) [x, y] = [0, y + 20];
    lines.push(
      `<path class="arrow ${kind}" d="M${x} ${y - 4}h24" marker-end="url(#${kind}-head)"/><text class="legend" x="${x + 34}" y="${y}">${escaped(text)}</text>`,
    );
    x += needed;
    most = Math.max(most, x - 24);
  }
  return { lines, width: most, height: kinds.length === 0 ? 0 : y };
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
