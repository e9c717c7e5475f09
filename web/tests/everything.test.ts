import { expect, test } from "vitest";
import sidecar from "../../src/picosam2/weights/small/picosam2-fp32.json";
import { OPTIONS, generate } from "../src/automatic/generator";
import { drawMask } from "../src/predictor/drawing";
import { iou } from "../src/predictor/patches";
import { Replay } from "./replay";
import { mask, photograph, vectors } from "./vectors";

const FEW = { ...OPTIONS, pointsPerSide: 4, batch: 16 };

test.each(vectors.everything)("everything of photograph $photograph is Python's", async (search) => {
  const image = photograph(search.photograph);
  const calls = [...search.calls];
  const seen: number[] = [];
  const progress = (done: number) => Promise.resolve(seen.push(done) === 0);
  const { click } = sidecar.scores.models;
  const found = await generate(new Replay(calls), click, image, FEW, progress);
  expect(calls).toHaveLength(0);
  expect(seen).toHaveLength(search.calls.length);
  expect(found).toHaveLength(search.found.length);
  found.forEach((reading, i) => {
    expect(Math.abs(reading.score - search.found[i]!.score)).toBeLessThan(1e-3);
    // Python keeps logits in steps of 1/16 until the end.
    expect(iou(drawMask(reading, image), mask(search.found[i]!.mask))).toBeGreaterThan(0.98);
  });
});

test("a search that is stopped gives what it has found", async () => {
  const search = vectors.everything[0]!;
  const image = photograph(search.photograph);
  const calls = [...search.calls];
  const stop = (done: number) => Promise.resolve(done >= 32);
  const { click } = sidecar.scores.models;
  const found = await generate(new Replay(calls), click, image, FEW, stop);
  expect(search.calls.length - calls.length).toBe(2);
  expect(found.length).toBeLessThanOrEqual(search.found.length);
});
