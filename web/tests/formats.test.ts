import { expect, test } from "vitest";
import { type CocoFile, imageOf, readCoco, thingsOf, writeCoco } from "../src/formats/coco";
import { compress, decode, encode, runs } from "../src/formats/rle";
import { fill, oneRing, rings } from "../src/formats/rings";
import { yoloLabels } from "../src/formats/yolo";
import { type Patch, area, iou, resized, trim } from "../src/predictor/patches";
import { Newest } from "../src/worker/client";

const size = { width: 23, height: 17 };

/** Masks of all kinds: random ones, full columns, a hole, corners that touch. */
function masks(): Patch[] {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const whole = (share: number) => {
    const data = new Uint8Array(size.width * size.height).map(() => (random() < share ? 1 : 0));
    return trim({ x: 0, y: 0, ...size, data });
  };
  const frame = { x: 3, y: 2, width: 3, height: 3 };
  return [
    ...[0.02, 0.3, 0.7, 1].map(whole),
    { ...frame, data: Uint8Array.of(1, 1, 1, 1, 0, 1, 1, 1, 1) },
    { ...frame, width: 2, height: 2, data: Uint8Array.of(1, 0, 0, 1) },
    { x: 4, y: 0, width: 2, height: 17, data: new Uint8Array(34).fill(1) },
  ];
}

test("masks are the same after RLE", () => {
  for (const mask of masks()) {
    expect(iou(decode(encode(mask, size)), mask)).toBe(1);
    expect(iou(decode({ size: [17, 23], counts: runs(mask, size) }), mask)).toBe(1);
  }
});

test("compressed runs are pycocotools'", () => {
  // pycocotools.mask.frPyObjects({"size": [17, 23], "counts": [...]}, 17, 23)["counts"]
  expect(compress([68, 34, 289])).toBe("T2R1Q9");
  expect(compress([5, 3, 14, 3, 14, 352])).toBe("53>00m:");
});

test("runs that do not add up are refused", () => {
  expect(() => decode({ size: [17, 23], counts: [1, 2] })).toThrow("do not add up");
});

test("masks are the same after rings, joined or not", () => {
  for (const mask of masks()) {
    const all = rings(mask);
    expect(iou(fill([oneRing(all)], size), mask)).toBe(1);
  }
});

test("a label of YOLO is a class and shares", () => {
  const mask = { x: 0, y: 0, width: 2, height: 1, data: Uint8Array.of(1, 1) };
  const thing = {
    id: 1,
    category: 5,
    candidates: [{ mask, score: null, reading: null }],
    choice: 0,
    clicks: [],
    within: null,
    source: null,
  };
  const photograph = { id: "a", name: "a.jpg", full: { width: 4, height: 2 }, things: [thing] };
  const categories = [
    { id: 2, name: "x" },
    { id: 5, name: "y" },
  ];
  expect(yoloLabels(photograph, categories)).toBe("1 0 0 0.5 0 0.5 0.5 0 0.5\n");
});

const before: CocoFile = readCoco({
  info: { of: "me" },
  images: [
    { id: 3, file_name: "x/a.jpg", width: 4, height: 2, licence: 1 },
    { id: 9, file_name: "b.jpg", width: 4, height: 2 },
  ],
  annotations: [
    { id: 1, image_id: 9, category_id: 1, segmentation: [[0, 0, 1, 0, 1, 1]], mine: 1 },
    { id: 2, image_id: 3, category_id: 1, segmentation: [[0, 0, 2, 0, 2, 2, 0, 2]], mine: 2 },
    { id: 4, image_id: 3, category_id: 1, bbox: [0, 0, 1, 1] },
    { id: 6, image_id: 3, category_id: 1, iscrowd: 1, segmentation: { size: [2, 4], counts: [6, 2] } },
  ],
  categories: [{ id: 1, name: "thing", supercategory: "all" }],
});

test("what was not touched is written as it was read", () => {
  const image = imageOf(before, "a.jpg")!;
  const things = thingsOf(before, image, 1);
  expect(things.map((thing) => area(thing.candidates[0]!.mask))).toEqual([4, 2]);
  const photograph = { id: "a", name: "a.jpg", full: { width: 4, height: 2 }, things };
  const after = writeCoco(before, [photograph], [{ id: 1, name: "thing" }]);
  const byId = (file: CocoFile) => [...file.annotations].sort((a, b) => a.id - b.id);
  expect(byId(after)).toEqual(byId(before));
  expect({ ...after, annotations: [] }).toEqual({ ...before, annotations: [] });
});

test("what was touched keeps its fields, what was deleted goes, what is new gets a new id", () => {
  const [first, second] = thingsOf(before, before.images[0]!, 1);
  const touched = { ...first!, source: { id: 2, untouched: false } };
  const fresh = { ...second!, id: 3, source: null };
  const photograph = {
    id: "a",
    name: "a.jpg",
    full: { width: 4, height: 2 },
    things: [touched, fresh],
  };
  const after = writeCoco(before, [photograph], []);
  expect(after.annotations.map(({ id }) => id)).toEqual([1, 4, 2, 7]);
  expect(after.annotations[2]).toMatchObject({ mine: 2, area: 4, bbox: [0, 0, 2, 2] });
});

test("what is no COCO file is refused", () => {
  for (const content of [null, [], {}, { images: [], annotations: [], categories: [{}] }]) {
    expect(() => readCoco(content)).toThrow("not COCO JSON");
  }
});

test("masks of reduced photographs are as large as the photograph", () => {
  const mask = { x: 1, y: 0, width: 1, height: 2, data: Uint8Array.of(1, 1) };
  const large = resized(mask, { width: 4, height: 2 }, { width: 8, height: 4 });
  expect([large.x, large.y, large.width, large.height, area(large)]).toEqual([2, 0, 2, 4, 8]);
});

test("one preview is under way, and the newest wins", async () => {
  const ran: number[] = [];
  const newest = new Newest();
  let release: () => void = () => undefined;
  newest.run(() => new Promise((resolve) => (release = resolve)));
  for (const number of [1, 2, 3]) newest.run(async () => void ran.push(number));
  release();
  await new Promise((resolve) => setTimeout(resolve));
  expect(ran).toEqual([3]);
});
