import { expect, test } from "vitest";
import { iou } from "../src/predictor/patches";
import { cut, lookUp, paste, pasteMask } from "../src/predictor/prompt";
import { apart, bytes, floats, mask, photograph, planes, vectors } from "./vectors";

test("crops are Python's within a grey level", () => {
  for (const { photograph: number, crop, pixels } of vectors.crops) {
    expect(apart(cut(photograph(number), crop), planes(bytes(pixels), 0))).toBeLessThanOrEqual(1);
  }
});

test("pasted logits are Python's", () => {
  for (const { width, height, crop, logits, picture } of vectors.pastes) {
    const found = new Float32Array(width * height).fill(-32);
    const values = floats(logits);
    paste(values, crop, { width, height }, (y, x, row) => found.set(row, y * width + x));
    expect(apart(found, floats(picture))).toBeLessThan(1e-3);
    const whole = floats(picture).map((value) => (value > 0 ? 1 : 0));
    const expected = { x: 0, y: 0, width, height, data: Uint8Array.from(whole) };
    expect(iou(pasteMask(values, crop, { width, height }), expected)).toBeGreaterThan(0.999);
  }
});

test("masks looked up in crops are Python's", () => {
  for (const { width, height, crop, mask: place, values } of vectors.lookups) {
    expect(apart(lookUp(mask(place), { width, height }, crop), floats(values))).toBeLessThan(1e-3);
  }
});
