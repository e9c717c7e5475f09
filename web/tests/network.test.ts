import { expect, test } from "vitest";
import { positive } from "../src/predictor/components";
import { area, iou } from "../src/predictor/patches";
import { CROP_PIXELS, CROP_SIZE } from "../src/predictor/prompt";
import { networks } from "./networks";
import { bytes, floats, planes, signed, vectors } from "./vectors";

/** A mask of fewer pixels is not compared by its IoU: one pixel of 50 is 2 %. */
const LEAST_AREA = 50;

const square = (logits: Float32Array) => {
  return { x: 0, y: 0, width: CROP_SIZE, height: CROP_SIZE, data: positive(logits) };
};

test.each(["first", "correcting"] as const)("the %s network's masks are Python's", async (name) => {
  const calls = vectors.sessions.flatMap((session) => session.calls);
  const ious: number[] = [];
  let apartMost = 0;
  for (const call of calls.filter(({ network }) => network === name)) {
    const [shown, prior] = [bytes(call.crops), call.prior && signed(call.prior)];
    const numbers = Array.from({ length: call.crops.shape[0]! }, (_, i) => i);
    const crops = numbers.map((i) => planes(shown, i));
    const found = prior
      ? await networks.correcting(
          crops,
          numbers.map((i) => planes(prior, i)),
        )
      : await networks.first(crops);
    const [said, scores] = [floats(call.logits), floats(call.scores)];
    found.forEach(({ logits, score }, i) => {
      const theirs = square(said.slice(i * CROP_PIXELS, (i + 1) * CROP_PIXELS));
      if (area(theirs) >= LEAST_AREA) ious.push(iou(square(logits), theirs));
      apartMost = Math.max(apartMost, Math.abs(score - scores[i]!));
    });
  }
  const mean = ious.reduce((a, b) => a + b) / ious.length;
  const least = Math.min(...ious);
  console.log(
    `${name}: ${ious.length} crops; IoU mean ${mean.toFixed(4)}, least ${least.toFixed(4)}; ` +
      `predicted IoU within ${apartMost.toFixed(4)}`,
  );
  expect(ious.length).toBeGreaterThan(30);
  // The page's weights are rounded to 10 bits.
  expect(least).toBeGreaterThanOrEqual(0.98);
  expect(mean).toBeGreaterThanOrEqual(0.998);
  expect(apartMost).toBeLessThan(0.01);
});
