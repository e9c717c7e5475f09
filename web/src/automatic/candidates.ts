/** Which masks of a search are objects: a port of `picosam2/automatic/candidates.py`. */
import { CROP_SIZE, type Size, left, top } from "../predictor/prompt";
import type { Reading } from "../predictor/readings";

/** Most of a crop's border that a mask may cover: more is a square out of a background. */
const MOST_CUT = 0.2;

/** Whether the crop's border gives a mask its shape; what ends with the image is not cut. */
export function isSquare({ crop, logits }: Reading, { width, height }: Size): boolean {
  const scale = crop.side / CROP_SIZE;
  const last = CROP_SIZE - 1;
  const inColumn = (i: number) => isWithin(left(crop) + (i + 0.5) * scale, width);
  const inRow = (i: number) => isWithin(top(crop) + (i + 0.5) * scale, height);
  const borders = [
    { inside: top(crop) > scale / 2, holds: inColumn, cell: (i: number) => i },
    {
      inside: top(crop) + crop.side < height - scale / 2,
      holds: inColumn,
      cell: (i: number) => last * CROP_SIZE + i,
    },
    { inside: left(crop) > scale / 2, holds: inRow, cell: (i: number) => i * CROP_SIZE },
    {
      inside: left(crop) + crop.side < width - scale / 2,
      holds: inRow,
      cell: (i: number) => i * CROP_SIZE + last,
    },
  ];
  let [all, covered] = [0, 0];
  for (const { holds, cell } of borders.filter(({ inside }) => inside)) {
    for (let i = 0; i < CROP_SIZE; i++) {
      if (!holds(i)) continue;
      all++;
      if (logits[cell(i)]! > 0) covered++;
    }
  }
  return covered > MOST_CUT * all;
}

function isWithin(place: number, length: number): boolean {
  return place >= 0 && place < length;
}
