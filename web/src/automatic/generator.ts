/** Everything at once: a port of `picosam2/automatic/generator.py`. */
import type { Networks } from "../predictor/predictor";
import { type Crop, type Pixels, cut } from "../predictor/prompt";
import { type Reading, extent, keepComponent, readClick } from "../predictor/readings";
import { type ScoreModel, STABILITY_OFFSET, stability } from "../predictor/scores";
import { isSquare } from "./candidates";
import { gridCrops } from "./grid";
import { type Scored, suppress } from "./suppression";

/** Of the crops, as shares of the longer side: a click's, and one for what fills the photograph. */
const SIDES = [0.06, 0.12, 0.24, 0.48, 0.96];

export interface Options {
  /** Of the densest grid. */
  readonly pointsPerSide: number;
  /** Crops that the network sees at once. */
  readonly batch: number;
  /** Masks of a lower predicted IoU, or stability, are dropped. */
  readonly least: { readonly score: number; readonly stability: number };
  /** Of two masks whose boxes overlap by more (IoU), the better stays. */
  readonly overlap: number;
}

/** Half of Python's points a side: a first pass is waited for. */
export const OPTIONS: Options = {
  pointsPerSide: 16,
  batch: 8,
  least: { score: 0.5, stability: 0.5 },
  overlap: 0.7,
};

interface Found extends Scored {
  readonly reading: Reading;
}

/**
 * The objects of an image, the best first.
 *
 * @param progress - told the crops looked at and their number after each batch; where it says
 * true, the search ends with what was found.
 */
export async function generate(
  networks: Networks,
  model: ScoreModel,
  image: Pixels,
  options: Options,
  progress: (done: number, all: number) => Promise<boolean>,
): Promise<Reading[]> {
  const crops = gridCrops(image, options.pointsPerSide, SIDES);
  const found: Found[] = [];
  for (let start = 0; start < crops.length; start += options.batch) {
    const batch = crops.slice(start, start + options.batch);
    const answers = await networks.first(batch.map((crop) => cut(image, crop)));
    answers.forEach(({ logits, score }, i) => {
      const one = look(batch[i]!, logits, score, model, image, options);
      if (one) found.push(one);
    });
    if (await progress(Math.min(crops.length, start + options.batch), crops.length)) break;
  }
  return suppress(found, options.overlap).map(({ reading }) => reading);
}

function look(
  crop: Crop,
  logits: Float32Array,
  score: number,
  model: ScoreModel,
  image: Pixels,
  { least }: Options,
): Found | null {
  const all = readClick(crop, logits, score, model);
  if (all.score < least.score) return null;
  const reading = keepComponent(all, crop.x, crop.y);
  const box = extent(reading);
  if (!box || isSquare(reading, image)) return null;
  if (stability(reading.logits, STABILITY_OFFSET) < least.stability) return null;
  return { reading, box, score: reading.score };
}
