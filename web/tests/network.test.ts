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
  const [plain, default8]: [number[], number[]] = [[], []];
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
    for (const [said, ious] of [
      [floats(call.plain), plain],
      [floats(call.logits), default8],
    ] as const) {
      found.forEach(({ logits }, i) => {
        const theirs = square(said.slice(i * CROP_PIXELS, (i + 1) * CROP_PIXELS));
        if (area(theirs) >= LEAST_AREA) ious.push(iou(square(logits), theirs));
      });
    }
  }
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
  const least = (values: number[]) => Math.min(...values).toFixed(4);
  const close = plain.filter((value) => value >= 0.98).length;
  console.log(
    `${name}: ${plain.length} crops; IoU with Python in float: mean ${mean(plain).toFixed(4)}, ` +
      `least ${least(plain)}, ${close} of at least 0.98; ` +
      `in 8 bits: mean ${mean(default8).toFixed(4)}, least ${least(default8)}`,
  );
  expect(plain.length).toBeGreaterThan(30);
  // A sum that is rounded the other way moves a number by a step of its 8 bits: with a prior more.
  expect(close / plain.length).toBeGreaterThanOrEqual(name === "first" ? 0.9 : 0.85);
  expect(mean(plain)).toBeGreaterThanOrEqual(0.99);
  expect(mean(default8)).toBeGreaterThanOrEqual(0.97);
});
