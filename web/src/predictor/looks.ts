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

/** What the network is asked, and the crop that it is shown. */
export interface Look {
  readonly prompt: First;
  readonly crop: Crop;
}

/** The first looks: all scales of a click; one for each wanted mask of a box. */
export function firstLooks(prompt: First, size: Size, count: number): Look[] {
  if ("box" in prompt) {
    const paddings = CONFIG.boxPaddings.slice(0, count);
    return paddings.map((padding) => ({ prompt, crop: boxCrop(prompt.box, padding) }));
  }
  const longer = Math.max(size.width, size.height);
  const { x, y } = prompt.click;
  const wanted = sides(CONFIG.clickSides.map((share) => longer * share));
  return wanted.map((side) => ({ prompt, crop: { x, y, side } }));
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

/**
 * For each reading a second look at what it shows; null where there is none. After a click the mask
 * is looked at again where its crop cuts it off. Of a box that is careless the best mask is, with
 * the box halfway to the one that the mask has by itself.
 */
export function secondLooks(prompt: First, readings: readonly Reading[]): (Look | null)[] {
  if ("box" in prompt) return readings.map(({ halfway }, i) => (i ? null : lookHalfway(halfway)));
  return readings.map((reading) => {
    const margin = hasOutline(reading) ? CONFIG.refineMargin : CONFIG.widening;
    const crop = isCut(reading) ? fitted(reading, margin, CONFIG.minSide) : null;
    return crop && { prompt, crop };
  });
}

function lookHalfway(box: Corners | null): Look | null {
  return box && { prompt: { box }, crop: boxCrop(box, CONFIG.boxPaddings[0]) };
}

/** A click's reading without what is not connected to the object under it. */
export function oneComponent(prompt: First, reading: Reading): Reading {
  return "box" in prompt ? reading : keepComponent(reading, prompt.click.x, prompt.click.y);
}

/** The best first. */
export function byScore(readings: readonly Reading[]): Reading[] {
  return [...readings].sort((a, b) => b.score - a.score);
}
