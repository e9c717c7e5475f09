/** Objects of annotated photographs, where there are some: `scripts/web_objects.py`. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import sidecar from "../../src/picosam2/weights/small/picosam2-fp32.json";
import { drawMask } from "../src/predictor/drawing";
import { EMPTY, iou } from "../src/predictor/patches";
import { Predictor } from "../src/predictor/predictor";
import type { Corners } from "../src/predictor/prompt";
import { networks } from "./networks";
import { FOLDER, type Place, mask, pixels } from "./vectors";

const PROMPTS = ["click", "box"] as const;

interface Stored {
  photographs: {
    rgb: Place;
    objects: {
      click: [number, number];
      box: Corners;
      mask: Place;
      iou: Record<(typeof PROMPTS)[number], number>;
    }[];
  }[];
}

const file = new URL("objects.json", FOLDER);

test.skipIf(!existsSync(file))("masks are as good as Python's", { timeout: 600_000 }, async () => {
  const { photographs } = JSON.parse(readFileSync(file, "utf8")) as Stored;
  const blob = readFileSync(new URL("objects.bin", FOLDER));
  const [ours, theirs] = [{ click: [] as number[], box: [] as number[] }, { click: 0, box: 0 }];
  for (const { rgb, objects } of photographs) {
    const image = pixels(rgb, blob);
    const predictor = new Predictor(networks, sidecar.scores.models, image);
    for (const object of objects) {
      const truth = mask(object.mask, blob);
      const [x, y] = object.click;
      for (const prompt of PROMPTS) {
        const first = prompt === "box" ? { box: object.box } : { click: { x, y, positive: true } };
        const [reading] = await predictor.look(first, 1);
        ours[prompt].push(iou(reading ? drawMask(reading, image) : EMPTY, truth));
        theirs[prompt] += object.iou[prompt];
      }
    }
  }
  for (const prompt of PROMPTS) {
    const count = ours[prompt].length;
    const found = (100 * ours[prompt].reduce((a, b) => a + b)) / count;
    const python = (100 * theirs[prompt]) / count;
    console.log(`${prompt}, ${count} objects: mIoU ${found.toFixed(2)}; Python ${python.toFixed(2)}`);
    expect(count).toBe(100);
    expect(Math.abs(found - python)).toBeLessThanOrEqual(1);
  }
});
