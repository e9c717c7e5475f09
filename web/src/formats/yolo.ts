/** YOLO's segmentation labels: an object a line, `class x y x y ...` as shares of the photograph. */
import { type Category, type Photograph, maskOf, workingSize } from "../state/model";
import { oneRing, rings } from "./rings";

/** The lines of one photograph; the class is the category's place in the list, from 0. */
export function yoloLabels(photograph: Photograph, categories: readonly Category[]): string {
  const { width, height } = workingSize(photograph.full);
  return photograph.things
    .map((thing) => {
      const ring = oneRing(rings(maskOf(thing)));
      const place = categories.findIndex(({ id }) => id === thing.category);
      const shares = ring.map((value, i) => +(value / (i % 2 ? height : width)).toFixed(6));
      return ring.length ? `${Math.max(0, place)} ${shares.join(" ")}\n` : "";
    })
    .join("");
}

/** What a training run reads: the classes' names. */
export function yoloData(categories: readonly Category[]): string {
  return `names:\n${categories.map(({ name }, i) => `  ${i}: ${JSON.stringify(name)}\n`).join("")}`;
}
