/**
 * From a prompt to masks of one photograph: a port of `picosam2/predictor/asking.py`.
 *
 * A first click or box is answered by {@link Predictor.look}; each click after it corrects the mask
 * before it, {@link Predictor.correct}.
 */
import { type Before, correctionCrops, obey, priorIn, readCorrection } from "./corrections";
import {
  type First,
  type Look,
  byScore,
  choose,
  firstLooks,
  oneComponent,
  secondLooks,
  show,
} from "./looks";
import { type Corners, type Pixels, cut } from "./prompt";
import { type Click, type Reading, different, readBox, readClick } from "./readings";
import type { ScoreModels } from "./scores";

/** A network's answer to one crop. */
export interface Answer {
  /** 96×96, above 0 is object. */
  readonly logits: Float32Array;
  /** Predicted IoU in 0..1. */
  readonly score: number;
}

/** The networks on some engine. Crops are 3 planes, priors 2 planes of 96×96. */
export interface Networks {
  /** Whether the first is shown boxes drawn on their crops. */
  readonly marksBoxes: boolean;
  first(crops: readonly Uint8Array[]): Promise<Answer[]>;
  correcting(crops: readonly Uint8Array[], priors: readonly Int8Array[]): Promise<Answer[]>;
}

export class Predictor {
  constructor(
    private readonly networks: Networks,
    private readonly scores: ScoreModels,
    private readonly image: Pixels,
  ) {}

  /** Up to `count` readings of a click or a box, the best first. */
  async look(prompt: First, count: number): Promise<Reading[]> {
    const first = await this.read(firstLooks(prompt, this.image, count));
    const chosen = choose(prompt, first, count);
    const again = secondLooks(prompt, chosen);
    const seen = await this.read(again.filter((look) => look !== null));
    const [best, ...others] = chosen.map((reading, i) =>
      again[i] ? oneComponent(prompt, seen.shift()!) : reading,
    );
    if (!best) return [];
    const found = different([best, ...byScore(others)], count);
    return "box" in prompt ? found : found.map((reading) => obeying(reading, prompt.click));
  }

  /**
   * Up to `count` readings after a click on a mask, the best first.
   *
   * @param before - the mask before.
   * @param clicks - all so far, in order; the last is answered.
   * @param within - the box that was given.
   */
  async correct(
    before: Before,
    clicks: readonly Click[],
    within: Corners | null,
    count: number,
  ): Promise<Reading[]> {
    const crops = correctionCrops(before, clicks, this.image, count);
    const answers = await this.networks.correcting(
      crops.map((crop) => cut(this.image, crop)),
      crops.map((crop) => priorIn(before, clicks, crop, this.image)),
    );
    const readings = answers.map(({ logits, score }, i) =>
      readCorrection(before, clicks, within, crops[i]!, logits, score, this.image),
    );
    const [first, ...others] = readings;
    return different(first ? [first, ...byScore(others)] : [], count);
  }

  private async read(looks: readonly Look[]): Promise<Reading[]> {
    if (!looks.length) return [];
    const { marksBoxes } = this.networks;
    const shown = looks.map(({ prompt, crop }) => show(this.image, prompt, crop, marksBoxes));
    const answers = await this.networks.first(shown);
    return answers.map(({ logits, score }, i) => {
      const { prompt, crop } = looks[i]!;
      return "box" in prompt
        ? readBox(crop, logits, score, prompt.box, marksBoxes, this.scores.box)
        : readClick(crop, logits, score, this.scores.click);
    });
  }
}

/** A first look whose mask holds its click. */
function obeying(reading: Reading, click: Click): Reading {
  return { ...reading, logits: obey(reading.logits, reading.crop, [click]), clicks: [click] };
}
