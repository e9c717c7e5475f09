import { expect, test } from "vitest";
import sidecar from "../../src/picosam2/weights/small/picosam2-int8.json";
import { drawMask } from "../src/predictor/drawing";
import { iou } from "../src/predictor/patches";
import { type Answer, type Networks, Predictor } from "../src/predictor/predictor";
import { CROP_PIXELS } from "../src/predictor/prompt";
import type { Reading } from "../src/predictor/readings";
import { apart, bytes, floats, mask, photograph, planes, signed, vectors } from "./vectors";

type Session = (typeof vectors.sessions)[number];

/** Cells of a prior that may differ: logits within a rounding of 0 fall on either side of it. */
const MOST_OTHERS = 3;

/** Compares what the networks are shown with what Python showed them, and says what they said. */
class Replay implements Networks {
  constructor(private readonly calls: Session["calls"]) {}

  first(crops: readonly Uint8Array[]): Promise<Answer[]> {
    return this.answer("first", crops, []);
  }

  correcting(crops: readonly Uint8Array[], priors: readonly Int8Array[]): Promise<Answer[]> {
    return this.answer("correcting", crops, priors);
  }

  private answer(
    network: string,
    crops: readonly Uint8Array[],
    priors: readonly Int8Array[],
  ): Promise<Answer[]> {
    const call = this.calls.shift()!;
    expect(call.network).toBe(network);
    expect(crops).toHaveLength(call.crops.shape[0]!);
    const shown = bytes(call.crops);
    crops.forEach((crop, i) => expect(apart(crop, planes(shown, i))).toBeLessThanOrEqual(1));
    const known = call.prior && signed(call.prior);
    priors.forEach((prior, i) => {
      const theirs = planes(known!, i);
      const others = prior.filter((value, cell) => value !== theirs[cell]).length;
      expect(others).toBeLessThanOrEqual(MOST_OTHERS);
    });
    const logits = floats(call.logits);
    return Promise.resolve(
      Array.from(floats(call.scores), (score, i) => ({
        logits: logits.slice(i * CROP_PIXELS, (i + 1) * CROP_PIXELS),
        score,
      })),
    );
  }
}

async function ask(predictor: Predictor, session: Session): Promise<Reading[]> {
  const { click, box, mask: given, clicks, within } = session;
  if (given) return predictor.correct({ mask: mask(given) }, clicks, null, 3);
  const first = box ? { box } : { click: click! };
  let readings = await predictor.look(first, clicks.length ? 1 : 3);
  for (let done = 1; done <= clicks.length; done++) {
    const all = [...(click ? [click] : []), ...clicks.slice(0, done)];
    // Only what the last click leads to is wanted in three ways.
    readings = await predictor.correct(readings[0]!, all, within, done < clicks.length ? 1 : 3);
  }
  return readings;
}

test.each(vectors.sessions.map((session, number) => ({ number, session })))(
  "session $number is Python's",
  async ({ session }) => {
    const image = photograph(session.photograph);
    const calls = [...session.calls];
    const predictor = new Predictor(new Replay(calls), sidecar.scores.models, image);
    const readings = await ask(predictor, session);
    expect(calls).toHaveLength(0);
    expect(readings).toHaveLength(session.answers.length);
    readings.forEach((reading, i) => {
      const answer = session.answers[i]!;
      expect(Math.abs(reading.score - answer.score)).toBeLessThan(1e-3);
      expect(apart(reading.logits, floats(answer.logits))).toBeLessThan(1e-3);
      expect(Math.abs(reading.crop.x - answer.crop.x)).toBeLessThan(1e-3);
      expect(Math.abs(reading.crop.y - answer.crop.y)).toBeLessThan(1e-3);
      expect(Math.abs(reading.crop.side - answer.crop.side)).toBeLessThan(1e-3);
      const [ours, theirs] = [drawMask(reading, image), mask(answer.mask)];
      expect(iou(ours, theirs)).toBeGreaterThan(0.999);
    });
  },
);
