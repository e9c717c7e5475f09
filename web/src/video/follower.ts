/** One object from frame to frame: a port of `picosam2/video/follower.py`. */
import { type Before, extentOf, maskIn } from "../predictor/corrections";
import {
  CROP_SIZE,
  type Corners,
  type Crop,
  type Pixels,
  type Size,
  cut,
  left,
  top,
} from "../predictor/prompt";
import { type Reading, extent, some, unbounded } from "../predictor/readings";
import { Colours } from "./colours";
import { CONFIG } from "./config";
import { Patience, type State } from "./patience";

/** Logits of a mask that is known without them. */
export const GIVEN_LOGIT = 8;

/** A crop that the networks are asked about. */
export interface Look {
  readonly crop: Crop;
  /** 3 planes of 96×96. */
  readonly pixels: Uint8Array;
  /** Where the object should be; null while it is searched, and the first look is asked alone. */
  readonly expected: Uint8Array | null;
}

/** What the networks said about a look. */
export interface Seen {
  readonly logits: Float32Array;
  readonly score: number;
  /** Of the correcting network; null where it was not asked. */
  readonly corrected: { readonly logits: Float32Array; readonly score: number } | null;
}

/** A mask, how its colours are like the object's (0..1), and its colours. */
interface Read {
  readonly reading: Reading;
  readonly alike: number;
  readonly colours: Colours;
}

type Point = readonly [number, number];

/** Follows an object whose mask in a frame is known. */
export class Follower {
  /** Predicted IoU of the last frame's mask. */
  score = 0;
  private before!: Before;
  private last: Corners;
  private colours: Colours | null = null;
  private motion: Point = [0, 0];
  private places = 0;
  /** In pixels of the frame: of the last mask, and of what it was before it was partly hidden. */
  private area = 0;
  private whole = 0;
  private readonly size: Size;
  private readonly patience = new Patience(CONFIG.lostScore, CONFIG.patience);

  constructor(frame: Pixels, known: Before, score: number) {
    this.size = { width: frame.width, height: frame.height };
    this.last = [0, 0, frame.width, frame.height];
    this.correct(frame, known, score);
  }

  /** Take a mask that a person gave or corrected for what the object is. */
  correct(frame: Pixels, known: Before, score: number): void {
    this.before = known;
    this.score = score;
    const found = extentOf(known);
    if (!found) {
      // Not here: it may come back, if it was seen before.
      this.patience.lose();
      return;
    }
    this.last = found;
    this.patience.find();
    const crop = around(found, [0, 0]);
    const mask = maskIn(known, crop, this.size);
    this.area = this.whole = 0;
    this.rememberArea(crop, count(mask));
    const logits = Float32Array.from(mask, (on) => (on ? GIVEN_LOGIT : -GIVEN_LOGIT));
    this.colours = Colours.of(cutQuickly(frame, crop), logits);
  }

  get state(): State {
    return this.patience.state;
  }

  /** What to ask the networks about the next frame. */
  looks(frame: Pixels): Look[] {
    if (this.state === "lost") {
      return this.search().map((crop) => ({ crop, pixels: cutQuickly(frame, crop), expected: null }));
    }
    const [x, y] = this.motion;
    const crop = around(this.last, [CONFIG.momentum * x, CONFIG.momentum * y]);
    const expected = maskIn(this.before, crop, this.size);
    return [{ crop, pixels: cutQuickly(frame, crop), expected }];
  }

  /** The mask of the frame, of what was asked and what came of it; null while it is lost. */
  take(looks: readonly Look[], seen: readonly Seen[]): Reading | null {
    const read = looks.map((look, i) => this.read(look, seen[i]!));
    if (this.state === "lost") return this.find(read);
    const { reading, alike, colours } = read[0]!;
    const found = extent(reading);
    const believed = alike >= CONFIG.alike ? reading.score : 0;
    const state = this.patience.see(believed, !found);
    this.score = reading.score;
    if (state === "lost") {
      this.motion = [0, 0];
      return null;
    }
    if (state === "found" && found) this.accept(reading, found, colours);
    return reading;
  }

  private accept(reading: Reading, found: Corners, colours: Colours): void {
    const [x1, y1] = centre(found);
    const [x0, y0] = centre(this.last);
    const [x, y] = this.motion;
    this.motion = [(x + x1 - x0) / 2, (y + y1 - y0) / 2];
    this.before = reading;
    this.last = found;
    this.rememberArea(reading.crop, count(reading.logits));
    if (reading.score >= CONFIG.sure && this.colours) {
      this.colours = this.colours.blend(colours, CONFIG.learning);
    }
  }

  /** The object again, if it is in one of the crops. */
  private find(read: readonly Read[]): Reading | null {
    const value = ({ reading, alike }: Read) => reading.score * alike;
    const { reading, alike } = read.reduce((a, b) => (value(b) > value(a) ? b : a));
    const found = extent(reading);
    if (!found || reading.score < CONFIG.foundScore || alike < CONFIG.foundAlike) {
      this.score = 0;
      return null;
    }
    this.patience.find();
    this.motion = [0, 0];
    this.before = reading;
    this.last = found;
    this.rememberArea(reading.crop, count(reading.logits));
    this.score = reading.score;
    return reading;
  }

  /** How many of a crop's logits may be above 0; what was partly hidden may be as large again. */
  private most({ side }: Crop): number {
    return Math.max(CONFIG.change * this.area, this.whole) * (CROP_SIZE / side) ** 2;
  }

  /** Keep the area of the mask in a crop, and how large the object was before it fell. */
  private rememberArea({ side }: Crop, cells: number): void {
    const area = cells * (side / CROP_SIZE) ** 2;
    if (area * CONFIG.change < this.area) this.whole = Math.max(this.whole, this.area);
    else if (area * CONFIG.change >= this.whole) this.whole = area;
    this.area = area;
  }

  private read({ crop, pixels, expected }: Look, seen: Seen): Read {
    const share = seen.corrected ? CONFIG.correcting : 0;
    const likely = this.colours?.likelihood(pixels);
    const mixture = seen.logits.map((value, cell) => {
      const mixed = (1 - share) * value + share * (seen.corrected?.logits[cell] ?? 0);
      return mixed + CONFIG.colours * (likely?.[cell] ?? 0);
    });
    const logits = expected ? atMost(mixture, this.most(crop)) : mixture;
    const score = (1 - share) * seen.score + share * (seen.corrected?.score ?? 0);
    const sure = some(logits) ? score : 0;
    const reading = unbounded(crop, logits, sure);
    const colours = Colours.of(pixels, logits);
    return { reading, alike: this.colours?.likeness(colours) ?? 0, colours };
  }

  /** Where it was last, and a few of the places around it and in the frame, in turns. */
  private search(): Crop[] {
    const side = sideOf(this.last);
    const { width, height } = this.size;
    const [x, y] = centre(this.last);
    const clip = (value: number, most: number) => Math.max(0, Math.min(most, value));
    const crops = [{ x: clip(x, width), y: clip(y, height), side }];
    const columns = Math.max(1, roundEven((2 * width) / side));
    const rows = Math.max(1, roundEven((2 * height) / side));
    const step = stride(columns * rows);
    while (crops.length < CONFIG.searched) {
      // A step that shares no factor with the number of places visits all of them.
      const index = (this.places++ * step) % (columns * rows);
      const row = Math.floor(index / columns);
      crops.push({
        x: ((index % columns) + 0.5) * (width / columns),
        y: (row + 0.5) * (height / rows),
        side,
      });
    }
    return crops;
  }
}

/** As `cut`, from every n-th pixel of every n-th row of a large crop: two a side of the result's. */
function cutQuickly(frame: Pixels, crop: Crop): Uint8Array {
  const step = Math.floor(crop.side / (2 * CROP_SIZE));
  if (step < 2) return cut(frame, crop);
  // A triangle reaches a pixel of the result, which is less than three steps, beyond the crop.
  const first = (low: number) => Math.max(0, Math.trunc(low) - 3 * step);
  const last = (low: number) => Math.max(0, Math.trunc(low + crop.side) + 3 * step);
  const half = Math.floor(step / 2);
  const [x0, y0] = [first(left(crop)), first(top(crop))];
  const [x1, y1] = [Math.min(frame.width, last(left(crop))), Math.min(frame.height, last(top(crop)))];
  const width = Math.max(0, Math.ceil((x1 - x0 - half) / step));
  const height = Math.max(0, Math.ceil((y1 - y0 - half) / step));
  const data = new Uint8Array(width * height * 4);
  for (let row = 0, to = 0; row < height; row++) {
    let from = ((y0 + half + row * step) * frame.width + x0 + half) * 4;
    for (let column = 0; column < width; column++, to += 4, from += 4 * step) {
      data[to] = frame.data[from]!;
      data[to + 1] = frame.data[from + 1]!;
      data[to + 2] = frame.data[from + 2]!;
    }
  }
  const within = (centre: number, low: number) => (centre - low - half - 0.5) / step + 0.5;
  const seen = { x: within(crop.x, x0), y: within(crop.y, y0), side: crop.side / step };
  return cut({ width, height, data }, seen);
}

/** Logits of which no more than so many are above 0. */
function atMost(logits: Float32Array, most: number): Float32Array {
  if (count(logits) <= most) return logits;
  const sorted = logits.toSorted();
  const level = sorted[sorted.length - Math.floor(most) - 1]!;
  // Not where all are equally sure: none would be left.
  return level < sorted.at(-1)! ? logits.map((value) => value - level) : logits;
}

/** How many are above 0. */
function count(values: Float32Array | Uint8Array): number {
  let above = 0;
  for (const value of values) if (value > 0) above++;
  return above;
}

function sideOf([x0, y0, x1, y1]: Corners): number {
  return Math.max(CONFIG.minSide, CONFIG.margin * Math.max(x1 - x0, y1 - y0));
}

function around(found: Corners, [dx, dy]: Point): Crop {
  const [x, y] = centre(found);
  return { x: x + dx, y: y + dy, side: sideOf(found) };
}

function centre([x0, y0, x1, y1]: Corners): Point {
  return [(x0 + x1) / 2, (y0 + y1) / 2];
}

/** As Python rounds: halves to the even number. */
function roundEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** Near the golden section of `count`, and without a common factor with it. */
function stride(count: number): number {
  let step = Math.max(1, roundEven(0.618 * count));
  while (divisor(step, count) !== 1) step++;
  return step;
}

function divisor(a: number, b: number): number {
  return b ? divisor(b, a % b) : a;
}
