import type { ELK, ElkExtendedEdge, ElkNode, LayoutOptions } from "elkjs/lib/elk-api.js";
import type { Picture } from "../picture.js";
import type { Card } from "./card.js";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where everything stands, in pixels from the top left. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** By box. */
  readonly corners: ReadonlyMap<string, Point>;
  /** In the order of the picture's arrows: the bends of each, from border to border. */
  readonly routes: readonly (readonly Point[])[];
}

/** More than that is laid out a little less evenly: six times as fast. */
const FEW_BOXES = 40;
/** More than that nobody would read, and it would take minutes. */
const MOST_BOXES = 200;
const MOST_ARROWS = 1_000;

const directions = ["DOWN", "RIGHT"] as const;

/** Layers in the order of the events, arrows at right angles. The same picture gives the same layout, to the pixel. */
const OPTIONS: LayoutOptions = {
  "elk.algorithm": "layered",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.randomSeed": "1",
  "elk.aspectRatio": "1.2",
  "elk.padding": "[top=0,left=0,bottom=0,right=0]",
  "elk.spacing.nodeNode": "28",
  "elk.spacing.edgeNode": "16",
  "elk.spacing.edgeEdge": "10",
  "elk.layered.spacing.nodeNodeBetweenLayers": "44",
  "elk.layered.spacing.edgeNodeBetweenLayers": "18",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "10",
};

export function isTooLarge({ boxes, arrows }: Picture): boolean {
  return boxes.length > MOST_BOXES || arrows.length > MOST_ARROWS;
}

/** Downwards or to the right, whichever comes nearer to a square: that is legible on a wide screen and on a narrow one. */
export async function placeCards(cards: readonly Card[], picture: Picture): Promise<Layout> {
  const elk = await loadElk();
  const layouts: Layout[] = [];
  for (const direction of directions) layouts.push(await layIn(direction, cards, { picture, elk }));
  const [best = layouts[0]] = layouts.sort((a, b) => oblongness(a) - oblongness(b));
  if (best === undefined) throw new Error("there is no direction to lay a picture out in");
  return best;
}

/** Takes a third of a second to load: only who asks for an SVG waits for it. */
async function loadElk(): Promise<ELK> {
  const { default: Elk } = await import("elkjs/lib/elk.bundled.js");
  return new Elk.default();
}

function oblongness({ width, height }: Layout): number {
  return Math.max(width / height, height / width);
}

async function layIn(
  direction: (typeof directions)[number],
  cards: readonly Card[],
  { picture, elk }: { readonly picture: Picture; readonly elk: ELK },
): Promise<Layout> {
  const graph: ElkNode = {
    id: "mesh",
    layoutOptions: {
      ...OPTIONS,
      "elk.direction": direction,
      "elk.layered.nodePlacement.strategy": cards.length > FEW_BOXES ? "BRANDES_KOEPF" : "NETWORK_SIMPLEX",
    },
    children: cards.map(({ box, width, height }) => ({ id: box.id, width, height })),
    edges: picture.arrows.map(({ from, to }, at) => ({ id: `arrow${at}`, sources: [from], targets: [to] })),
  };
  const root = await elk.layout(graph);
  return {
    width: Math.ceil(root.width ?? 0),
    height: Math.ceil(root.height ?? 0),
    corners: new Map((root.children ?? []).map(({ id, x = 0, y = 0 }) => [id, { x, y }])),
    routes: (root.edges ?? []).map(routeOf),
  };
}

function routeOf({ sections = [] }: ElkExtendedEdge): readonly Point[] {
  return sections.flatMap(({ startPoint, bendPoints = [], endPoint }) => [
    startPoint,
    ...bendPoints,
    endPoint,
  ]);
}
