/** The colours of an object and of what is around it: a port of `picosam2/video/colours.py`. */
import { CROP_PIXELS, CROP_SIZE } from "../predictor/prompt";

/** Values of red, green and blue that are told apart: 2 ** BITS each. */
const BITS = 3;
const BINS = 2 ** BITS;
/** Log-likelihood ratios are kept within this; the sides of the square they are averaged over. */
const MOST = 3;
const BLUR = 5;
/** So that a colour that was not seen is not impossible. */
const UNSEEN = 1e-6;

/** Histograms of 512 values each, which sum to 1. */
export class Colours {
  private constructor(
    private readonly inside: Float64Array,
    private readonly outside: Float64Array,
  ) {}

  /**
   * Those of a crop.
   *
   * @param crop - 3 planes of 96×96.
   * @param logits - 96×96, above 0 is object; what is near 0 is left out.
   */
  static of(crop: Uint8Array, logits: Float32Array): Colours {
    const codes = codesOf(crop);
    return new Colours(
      histogram(codes, (cell) => logits[cell]! > 1),
      histogram(codes, (cell) => logits[cell]! < -1),
    );
  }

  /** With a share of another frame's. */
  blend(other: Colours, share: number): Colours {
    const mix = (a: Float64Array, b: Float64Array) =>
      a.map((value, i) => (1 - share) * value + share * b[i]!);
    return new Colours(mix(this.inside, other.inside), mix(this.outside, other.outside));
  }

  /**
   * How much more a crop's pixels look like the object than like what is around it: the logarithm
   * of the ratio, averaged over 5×5 pixels.
   */
  likelihood(crop: Uint8Array): Float32Array {
    const ratios = this.inside.map((value, code) =>
      Math.max(-MOST, Math.min(MOST, Math.log(value / this.outside[code]!))),
    );
    return blurred(Float32Array.from(codesOf(crop), (code) => ratios[code]!));
  }

  /** How alike two objects are, in 0..1: the Bhattacharyya coefficient of their colours. */
  likeness(other: Colours): number {
    return this.inside.reduce((sum, value, i) => sum + Math.sqrt(value * other.inside[i]!), 0);
  }
}

function codesOf(crop: Uint8Array): Uint16Array {
  return new Uint16Array(CROP_PIXELS).map((_, cell) => {
    const [red, green, blue] = [0, 1, 2].map((plane) => crop[plane * CROP_PIXELS + cell]! >> (8 - BITS));
    return (red! * BINS + green!) * BINS + blue!;
  });
}

function histogram(codes: Uint16Array, counts: (cell: number) => boolean): Float64Array {
  const bins = new Float64Array(BINS ** 3);
  codes.forEach((code, cell) => {
    if (counts(cell)) bins[code]!++;
  });
  // Light changes: neighbouring colours count as well.
  let smooth: Float64Array = bins;
  for (const step of [1, BINS, BINS * BINS]) smooth = averaged(smooth, step);
  const sum = smooth.reduce((a, b) => a + b, 0);
  const floor = UNSEEN * Math.max(1, sum);
  const all = sum + floor * smooth.length;
  return smooth.map((value) => (value + floor) / all);
}

/** Means of three neighbours along the axis whose bins are `step` apart; beyond it is 0. */
function averaged(bins: Float64Array, step: number): Float64Array {
  return bins.map((value, i) => {
    const place = Math.floor(i / step) % BINS;
    const before = place > 0 ? bins[i - step]! : 0;
    const after = place < BINS - 1 ? bins[i + step]! : 0;
    return (before + value + after) / 3;
  });
}

/** Means of 5×5 pixels; the border is a mirror. */
function blurred(values: Float32Array): Float32Array {
  return along(along(values, CROP_SIZE), 1);
}

function along(values: Float32Array, step: number): Float32Array {
  const radius = (BLUR - 1) / 2;
  return values.map((_, cell) => {
    const place = Math.floor(cell / step) % CROP_SIZE;
    let sum = 0;
    for (let k = -radius; k <= radius; k++) {
      let other = place + k;
      if (other < 0) other = -1 - other;
      if (other >= CROP_SIZE) other = 2 * CROP_SIZE - 1 - other;
      sum += values[cell + (other - place) * step]!;
    }
    return sum / BLUR;
  });
}
