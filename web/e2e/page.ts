/** What the walks through the page share. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type Download, type Locator, type Page, test as base, expect } from "@playwright/test";

export { expect };

export const PYTHON = process.env.PYTHON ?? "../.venv/bin/python";
export const EXAMPLES = "../src/picosam2/examples/images";

export const SIZES = {
  "astronaut.jpg": [512, 512],
  "chelsea.jpg": [451, 300],
  "coffee.jpg": [600, 400],
  "rocket.jpg": [640, 427],
} as const;
export type Name = keyof typeof SIZES;

/** Each test fails where a request leaves the origin, or the page throws. */
export const test = base.extend<{ watched: undefined }>({
  watched: [
    async ({ context, page }, use) => {
      const strange: string[] = [];
      context.on("request", (request) => {
        const { protocol, hostname } = new URL(request.url());
        const local = protocol === "blob:" || protocol === "data:" || hostname === "127.0.0.1";
        if (!local) strange.push(request.url());
      });
      page.on("pageerror", (error) => strange.push(String(error)));
      page.on("console", (message) => {
        if (/Content Security Policy/.test(message.text())) strange.push(message.text());
      });
      await use(undefined);
      expect(strange).toEqual([]);
    },
    { auto: true },
  ],
});

/** Open photographs of the examples, or other files. */
export async function open(page: Page, ...names: string[]): Promise<void> {
  const files = names.map((name) => (name.includes("/") ? name : `${EXAMPLES}/${name}`));
  await page.getByTestId("files").setInputFiles(files);
  await settled(page);
}

/** Wait until everything was answered and saved. */
export async function settled(page: Page): Promise<void> {
  await expect(page.getByRole("status")).toHaveText("Saved");
}

/** The place on the screen of a pixel of a photograph that is shown whole. */
export function place(page: Page, name: Name, x: number, y: number) {
  return placeIn(page.locator("canvas"), SIZES[name], x, y);
}

/** The same of a picture of any size that a canvas shows whole. */
export async function placeIn(
  canvas: Locator,
  [width, height]: readonly [number, number],
  x: number,
  y: number,
) {
  const frame = (await canvas.boundingBox())!;
  const scale = Math.min(frame.width / width, frame.height / height) * 0.96;
  return {
    x: frame.x + (frame.width - width * scale) / 2 + x * scale,
    y: frame.y + (frame.height - height * scale) / 2 + y * scale,
  };
}

/** Click a pixel of a photograph. */
export async function click(
  page: Page,
  name: Name,
  x: number,
  y: number,
  button: "left" | "right" = "left",
): Promise<void> {
  await settled(page);
  const at = await place(page, name, x, y);
  await page.mouse.click(at.x, at.y, { button });
  await settled(page);
}

export function objects(page: Page) {
  return page.getByRole("region", { name: "Objects" }).getByRole("listitem");
}

interface Table {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: {
    id: number;
    image_id: number;
    category_id: number;
    area: number;
    bbox: [number, number, number, number];
    segmentation: { size: [number, number]; counts: string };
    [field: string]: unknown;
  }[];
  categories: { id: number; name: string }[];
}

/** Export by the menu. */
export async function exported(page: Page, item: string): Promise<Download> {
  await page.getByRole("button", { name: "Export" }).click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: item }).click(),
  ]);
  return download;
}

/** Export COCO, and let pycocotools read it: its areas and boxes must be the file's. */
export async function coco(page: Page): Promise<Table> {
  const path = await (await exported(page, "COCO JSON")).path();
  return checked(path);
}

export function checked(path: string): Table {
  const check = `
import sys
from pycocotools.coco import COCO
from pycocotools import mask
coco = COCO(sys.argv[1])
for one in coco.loadAnns(coco.getAnnIds()):
    rle = coco.annToRLE(one)
    assert mask.area(rle) == one["area"] > 0, one["id"]
    assert mask.toBbox(rle).tolist() == one["bbox"], one["id"]
    assert coco.annToMask(one).shape == tuple(rle["size"])
`;
  execFileSync(PYTHON, ["-c", check, path], { stdio: "pipe" });
  return JSON.parse(readFileSync(path, "utf8")) as Table;
}

/** Pixels of each object of a photograph's mask that are in a box, by pycocotools. */
export function pixelAt(path: string, annotation: number, x: number, y: number): boolean {
  const look = `
import sys
from pycocotools.coco import COCO
coco = COCO(sys.argv[1])
mask = coco.annToMask(coco.loadAnns([int(sys.argv[2])])[0])
print("pixel", mask[int(sys.argv[4]), int(sys.argv[3])])
`;
  const said = execFileSync(PYTHON, ["-c", look, path, `${annotation}`, `${x}`, `${y}`]);
  return said.toString().includes("pixel 1");
}
