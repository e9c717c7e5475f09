/** The networks' place in tests. */
import { expect } from "vitest";
import sidecar from "../../src/picosam2/weights/small/picosam2-fp32.json";
import type { Answer, Networks } from "../src/predictor/predictor";
import { CROP_PIXELS } from "../src/predictor/prompt";
import { type Call, apart, bytes, floats, planes, signed } from "./vectors";

/** Cells of a prior that may differ: logits within a rounding of 0 fall on either side of it. */
const MOST_OTHERS = 3;

/** Compares what the networks are shown with what Python showed them, and says what they said. */
export class Replay implements Networks {
  readonly marksBoxes = sidecar.marks_boxes;

  constructor(private readonly calls: Call[]) {}

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
