import type { Picture } from "../picture.js";
import { layCard } from "./card.js";
import { isTooLarge, placeCards } from "./place-cards.js";
import { printSvg } from "./print-svg.js";

/** The picture as one SVG; undefined: it is too large to be read. */
export async function drawSvg(picture: Picture): Promise<string | undefined> {
  if (isTooLarge(picture)) return undefined;
  const cards = picture.boxes.map((box) => layCard(box, picture));
  return printSvg(picture, cards, await placeCards(cards, picture));
}
