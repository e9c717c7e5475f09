/** Objects followed through live frames: a port of `picosam2/video/tracker.py`. */
import type { Before } from "../predictor/corrections";
import { drawMask } from "../predictor/drawing";
import type { First } from "../predictor/looks";
import { type Patch, EMPTY, trim } from "../predictor/patches";
import { type Networks, Predictor } from "../predictor/predictor";
import { makePrior } from "../predictor/prior";
import { type Pixels, type Size, paste } from "../predictor/prompt";
import type { Click } from "../predictor/readings";
import type { ScoreModels } from "../predictor/scores";
import { Follower, GIVEN_LOGIT, type Look, type Seen } from "./follower";
import type { State } from "./patience";

/** One object in one frame. */
export interface Tracked {
  readonly id: number;
  /** Empty while the object is lost. */
  readonly mask: Patch;
  /** Predicted IoU in 0..1. */
  readonly score: number;
  readonly state: State;
}

interface Followed {
  readonly follower: Follower;
  /** What was seen in the last frame; null where the object is lost. */
  reading: Before | null;
  /** Whether a prompt in that frame made it. */
  said: boolean;
}

/** More than any logit: what was said about a frame goes before what was found. */
const SAID = 1000;

/** Follows any number of objects through frames of one size that come one by one. */
export class Tracker {
  private readonly objects = new Map<number, Followed>();
  private ids = 0;

  constructor(
    private readonly networks: Networks,
    private readonly scores: ScoreModels,
  ) {}

  /**
   * Follow another object.
   *
   * @returns its id; null where nothing was found.
   */
  async add(frame: Pixels, first: First): Promise<number | null> {
    const [reading] = await new Predictor(this.networks, this.scores, frame).look(first, 1);
    if (!reading || !drawMask(reading, frame).width) return null;
    const follower = new Follower(frame, reading, reading.score);
    this.objects.set(++this.ids, { follower, reading, said: true });
    return this.ids;
  }

  /**
   * Correct an object's mask in the last frame by a click; the next frames follow from it.
   *
   * @throws Error it is lost, and the click is not on it.
   */
  async correct(frame: Pixels, id: number, click: Click): Promise<void> {
    const object = this.objects.get(id);
    if (!object) return;
    const predictor = new Predictor(this.networks, this.scores, frame);
    const mask = object.reading ? maskOf(object.reading, frame) : EMPTY;
    if (!mask.width && !click.positive) throw new Error("it is lost: click on it first");
    const [reading] = mask.width
      ? await predictor.correct({ mask }, [click], null, 1)
      : await predictor.look({ click }, 1);
    if (!reading) return;
    object.reading = reading;
    object.said = true;
    object.follower.correct(frame, reading, reading.score);
  }

  /** Follow an object no longer. */
  remove(id: number): void {
    this.objects.delete(id);
  }

  /** The masks in the next frame. */
  async update(frame: Pixels): Promise<void> {
    const objects = [...this.objects.values()];
    const looks = objects.map(({ follower }) => follower.looks(frame));
    const seen = await this.look(looks.flat());
    objects.forEach((object, i) => {
      object.reading = object.follower.take(looks[i]!, seen.splice(0, looks[i]!.length));
      object.said = false;
    });
  }

  /** What is known of the frame of the last call. */
  answer(size: Size): Tracked[] {
    const masks = draw([...this.objects.values()], size);
    return [...this.objects].map(([id, { follower }], i) => {
      const mask = masks[i]!;
      return { id, mask, score: mask.width ? follower.score : 0, state: follower.state };
    });
  }

  /** What the networks say, asked in one batch each. */
  private async look(looks: readonly Look[]): Promise<Seen[]> {
    if (!looks.length) return [];
    const first = await this.networks.first(looks.map(({ pixels }) => pixels));
    const told = looks.flatMap(({ pixels, expected }) =>
      expected ? [{ pixels, prior: makePrior(expected, []) }] : [],
    );
    const corrected = told.length
      ? await this.networks.correcting(
          told.map(({ pixels }) => pixels),
          told.map(({ prior }) => prior),
        )
      : [];
    return first.map(({ logits, score }, i) => ({
      logits,
      score,
      corrected: looks[i]!.expected ? corrected.shift()! : null,
    }));
  }
}

/** The masks of several objects: a pixel belongs to what was said, then to the surest of it. */
function draw(objects: readonly Followed[], size: Size): Patch[] {
  const masks = objects.map(({ reading }) => (reading ? maskOf(reading, size) : EMPTY));
  if (masks.filter(({ width }) => width).length < 2) return masks;
  const surest = new Float32Array(size.width * size.height);
  const owners = new Uint8Array(surest.length);
  masks.forEach((mask, i) => claim(objects[i]!, mask, size, i + 1, surest, owners));
  return masks.map((mask, i) => {
    const data = mask.data.map((on, cell) => {
      const row = Math.floor(cell / mask.width);
      const pixel = (mask.y + row) * size.width + mask.x + cell - row * mask.width;
      return on && owners[pixel] === i + 1 ? 1 : 0;
    });
    return trim({ ...mask, data });
  });
}

function maskOf(reading: Before, size: Size): Patch {
  return "crop" in reading ? drawMask(reading, size) : reading.mask;
}

/** Take the pixels of a mask of which no other object was surer. */
function claim(
  { reading, said }: Followed,
  mask: Patch,
  size: Size,
  owner: number,
  surest: Float32Array,
  owners: Uint8Array,
): void {
  const logits = new Float32Array(mask.data.length).fill(GIVEN_LOGIT);
  if (reading && "crop" in reading && !reading.merge) {
    paste(reading.logits, reading.crop, size, (y, x, values) => {
      if (y < mask.y || y >= mask.y + mask.height) return;
      for (let column = 0; column < mask.width; column++) {
        const value = values[mask.x + column - x];
        if (value !== undefined && value > 0) logits[(y - mask.y) * mask.width + column] = value;
      }
    });
  }
  mask.data.forEach((on, cell) => {
    const row = Math.floor(cell / mask.width);
    const pixel = (mask.y + row) * size.width + mask.x + cell - row * mask.width;
    // Of equals, the later one.
    const claimed = logits[cell]! + (said ? SAID : 0);
    if (!on || claimed < surest[pixel]!) return;
    surest[pixel] = claimed;
    owners[pixel] = owner;
  });
}
