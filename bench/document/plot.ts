import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Row } from "../row.js";
import type { PlotOf } from "../section.js";

/*
 * Plots as SVG files that read on light and dark pages. A picture sees what the reader's system prefers, not which page it stands on:
 * so the first grey reads on both.
 */

const WIDTH = 720;
const HEIGHT = 320;

const STYLE = `
svg { color: #6e7781; background: transparent; }
@media (prefers-color-scheme: dark) { svg { color: #9ea7b3; } }`;

/** Told apart by readers who see no red or green, and on both backgrounds (Okabe and Ito). */
const COLORS = ["#2a85c9", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

interface Point {
  readonly x: number;
  readonly line: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function plotSvg(plot: PlotOf, rows: readonly Row[]): string {
  const points = rows.filter(({ plot: place }) => place?.plot === plot.name).flatMap(pointsOf);
  const { document } = parseHTML("<html><body></body></html>");
  const ticks = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const lines = [...new Set(points.map(({ line }) => line))];
  const place = { x: "x", stroke: "line" } as const;
  const svg = Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 64,
    marginRight: 40,
    marginBottom: 48,
    style: { fontSize: "13px", background: "transparent" },
    x: { type: "log", ticks, tickFormat: (value: number) => value.toLocaleString("en-US"), label: plot.x },
    y: { zero: true, grid: true, label: plot.y, tickFormat: "s" },
    color: { domain: lines, range: COLORS.slice(0, lines.length) },
    marks: [
      Plot.ruleX(points, { ...place, y1: "low", y2: "high", strokeOpacity: 0.5, strokeWidth: 3 }),
      Plot.line(points, { ...place, y: "median", strokeWidth: 2 }),
      Plot.dot(points, { x: "x", y: "median", fill: "line", r: 3.5 }),
    ],
  });
  return withLegend(svg.outerHTML, { title: plot.title, lines });
}

/** The row and its yardstick are points of two lines. */
function pointsOf({ plot, value, yardstick }: Row): readonly Point[] {
  if (plot === undefined) return [];
  const { x, line } = plot;
  return [
    { x, line, ...value },
    ...(yardstick === undefined ? [] : [{ x, line: yardstick.what, ...yardstick.value }]),
  ];
}

interface Legend {
  /** What a reader who sees no picture is told. */
  readonly title: string;
  readonly lines: readonly string[];
}

/** Plot's own legend is HTML, which an SVG file cannot hold. */
function withLegend(svg: string, { title, lines }: Legend): string {
  const entries = lines.map(
    (line, at) =>
      `<circle cx="76" cy="${24 + at * 20}" r="5" fill="${COLORS[at]}"/><text x="88" y="${28 + at * 20}">${escapeText(line)}</text>`,
  );
  const height = lines.length * 20 + 24;
  const legend = `<g transform="translate(0,-${height})" fill="currentColor" text-anchor="start">${entries.join("")}</g>`;
  const placed = svg
    .replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    .replace(`height="${HEIGHT}"`, `height="${HEIGHT + height}"`)
    .replace(`viewBox="0 0 ${WIDTH} ${HEIGHT}"`, `viewBox="0 -${height} ${WIDTH} ${HEIGHT + height}"`)
    .replace(/<style>[\s\S]*?<\/style>/, `<title>${escapeText(title)}</title><style>${STYLE}</style>`)
    .replace("</svg>", `${legend}</svg>`);
  return `${placed}\n`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
