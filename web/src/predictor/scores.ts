/** The IoU to expect of a mask: a port of `picosam2/predictor/scores.py`. */
import { boxOverlap } from "./boxes";
import { CROP_PIXELS, CROP_SIZE, type Corners } from "./prompt";

/** A logistic curve through evidence. */
export interface ScoreModel {
  readonly weights: readonly number[];
  readonly bias: number;
}

/** The models after a click and after a box. */
export interface ScoreModels {
  readonly click: ScoreModel;
  readonly box: ScoreModel;
}

/** Of the thresholds of {@link stability}, in logits. */
export const STABILITY_OFFSET = 1;
const MIDDLE = Math.round((CROP_SIZE * (1 - 1 / 6)) / 2);

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function logit(share: number): number {
  const clipped = Math.min(1 - 1e-3, Math.max(1e-3, share));
  return Math.log(clipped / (1 - clipped));
}

/** Predicted IoU in 0..1. */
export function expected(model: ScoreModel, evidence: readonly number[]): number {
  return sigmoid(evidence.reduce((sum, value, i) => sum + value * model.weights[i]!, model.bias));
}

/** What speaks for a mask after a click. */
export function clickEvidence(logits: Float32Array, score: number): number[] {
  return common(logits, score, borderShare(logits));
}

/** What speaks for a mask in a box: the network's logits, and the same fitted to the box. */
export function boxEvidence(
  own: Float32Array,
  fitted: Float32Array,
  score: number,
  box: Corners,
): number[] {
  const [x0, y0, x1, y1] = box;
  let shift = -Infinity;
  let all = 0;
  let within = 0;
  for (let cell = 0; cell < CROP_PIXELS; cell++) {
    shift = Math.max(shift, fitted[cell]! - own[cell]!);
    if (!(own[cell]! > 0)) continue;
    all++;
    const x = cell % CROP_SIZE;
    const y = (cell - x) / CROP_SIZE;
    if (x >= Math.floor(x0) && x < Math.ceil(x1) && y >= Math.floor(y0) && y < Math.ceil(y1)) {
      within++;
    }
  }
  const beside = all ? 1 - within / all : 0;
  return [...common(fitted, score, boxOverlap(fitted, box)), shift, beside];
}

/** The share of a crop's border that is object; its corners count twice. */
export function borderShare(logits: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < CROP_SIZE; i++) {
    for (const cell of [i, CROP_PIXELS - CROP_SIZE + i, i * CROP_SIZE, (i + 1) * CROP_SIZE - 1]) {
      if (logits[cell]! > 0) sum++;
    }
  }
  return sum / (4 * CROP_SIZE);
}

/** SAM's stability score in 0..1: IoU of the masks at thresholds `offset` and −`offset`. */
export function stability(logits: Float32Array, offset: number): number {
  let [sure, possible] = [0, 0];
  for (let cell = 0; cell < CROP_PIXELS; cell++) {
    if (logits[cell]! > offset) sure++;
    if (logits[cell]! > -offset) possible++;
  }
  return sure / Math.max(1, possible);
}

function common(logits: Float32Array, score: number, last: number): number[] {
  let [object, strength, middle] = [0, 0, 0];
  for (let cell = 0; cell < CROP_PIXELS; cell++) {
    const value = logits[cell]!;
    if (value > 0) {
      object++;
      strength += value;
    }
  }
  const side = CROP_SIZE - 2 * MIDDLE;
  for (let row = MIDDLE; row < CROP_SIZE - MIDDLE; row++) {
    for (let column = MIDDLE; column < CROP_SIZE - MIDDLE; column++) {
      middle += sigmoid(logits[row * CROP_SIZE + column]!);
    }
  }
  const shares = [score, stability(logits, STABILITY_OFFSET), middle / side ** 2];
  return [...shares.map(logit), object ? strength / object : 0, last];
}
