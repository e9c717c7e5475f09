/** Which crops are looked at for a prompt: a port of `picosam2/predictor/looks.py`. */
import { boxInCrop } from "./boxes";
import { CONFIG } from "./config";
import { markBox } from "./marks";
import { type Corners, type Crop, type Pixels, type Size, boxCrop, cut } from "./prompt";
import {
  type Click,
  type Reading,
  different,
  fitted,
  hasOutline,
  isCut,
  keepComponent,
} from "./readings";

/** What is said first about an object. */
export type First = { readonly click: Click } | { readonly box: Corners };

/** The crops of the first look: all scales of a click; one for each wanted mask of a box. */
export function firstCrops(prompt: First, size: Size, count: number): Crop[] {
  if ("box" in prompt) {
    return CONFIG.boxPaddings.slice(0, count).map((padding) => boxCrop(prompt.box, padding));
  }
  const longer = Math.max(size.width, size.height);
  const { x, y } = prompt.click;
  return sides(CONFIG.clickSides.map((share) => longer * share)).map((side) => ({ x, y, side }));
}

/** What the network is shown. */
export function show(image: Pixels, prompt: First, crop: Crop, marksBoxes: boolean): Uint8Array {
  const planes = cut(image, crop);
  return marksBoxes && "box" in prompt ? markBox(planes, boxInCrop(prompt.box, crop)) : planes;
}

/** Different sides, the smallest first, none below the least. */
export function sides(wanted: readonly number[]): number[] {
  const unique = new Set(wanted.map((side) => Math.max(CONFIG.minSide, side)));
  return [...unique].sort((a, b) => a - b);
}

/** Up to `count` readings that differ, the best first: the same one whatever `count` is. */
export function choose(prompt: First, readings: readonly Reading[], count: number): Reading[] {
  if ("box" in prompt) {
    const [first, ...others] = readings;
    return different(first ? [first, ...byScore(others)] : [], count);
  }
  // A crop that is all object shows a piece of it and no shape: where all are, the widest counts.
  const shaped = byScore(readings).filter(hasOutline);
  const ranked = shaped.length ? shaped : [...readings].reverse();
  const wanted = count > 1 ? ranked : ranked.slice(0, 1);
  return different(
    wanted.map((reading) => oneComponent(prompt, reading)),
    count,
  );
}

/** The crop of a second look at a reading; null where there is none. */
export function secondCrop(prompt: First, reading: Reading): Crop | null {
  if ("box" in prompt || !isCut(reading)) return null;
  const margin = hasOutline(reading) ? CONFIG.refineMargin : CONFIG.widening;
  return fitted(reading, margin, CONFIG.minSide);
}

/** A click's reading without what is not connected to the object under it. */
export function oneComponent(prompt: First, reading: Reading): Reading {
  return "box" in prompt ? reading : keepComponent(reading, prompt.click.x, prompt.click.y);
}

/** The best first. */
export function byScore(readings: readonly Reading[]): Reading[] {
  return [...readings].sort((a, b) => b.score - a.score);
}
