/** Photographs that are broken or large, and storage that is full. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { EXAMPLES, PYTHON, coco, click, expect, objects, open, settled, test } from "./page";

test("a broken photograph is said to be, and the others go on", async ({ page }, info) => {
  const broken = info.outputPath("broken.jpg");
  writeFileSync(broken, "no photograph");
  await page.goto("/");
  await open(page, broken, "coffee.jpg");
  await expect(page.getByRole("alert")).toContainText("broken.jpg: this browser cannot read it");
  await page.getByRole("button", { name: "Next photograph" }).click();
  await settled(page);
  await click(page, "coffee.jpg", 300, 200);
  await expect(objects(page)).toHaveCount(1);
});

test("where the disk is full the page says so, and what was made can be exported", async ({
  page,
}) => {
  await page.goto("/");
  await open(page, "coffee.jpg");
  await page.evaluate(() => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  const canvas = page.locator("canvas");
  await canvas.click({ position: { x: 450, y: 300 } });
  await expect(page.getByRole("alert")).toContainText("the browser's storage is full");
  await expect(page.getByRole("status")).toHaveText("Not saved");
  expect((await coco(page)).annotations.length).toBe(1);
});

test("without a graphics device that was asked for the processor computes", async ({ page }) => {
  await page.goto("/?engine=webgpu");
  await expect(page.getByRole("alert")).toContainText("there is no graphics device");
  await open(page, "coffee.jpg");
  await click(page, "coffee.jpg", 300, 200);
  await expect(objects(page)).toHaveCount(1);
});

test.describe("in a browser that runs no module", () => {
  // What the service worker fetches is not routed.
  test.use({ serviceWorkers: "block" });

  test("without WebAssembly SIMD the page says what it needs", async ({ page }) => {
    await page.route("**/*.wasm", (route) =>
      route.fulfill({ body: "no module", contentType: "application/wasm" }),
    );
    await page.goto("/");
    await open(page, "coffee.jpg");
    await page.locator("canvas").click({ position: { x: 450, y: 300 } });
    await expect(page.getByRole("alert")).toContainText("WebAssembly");
  });
});

test("a photograph of 100 megapixels is worked on reduced", async ({ page }, info) => {
  const huge = info.outputPath("huge.jpg");
  const make =
    "import sys; from PIL import Image; " +
    "Image.open(sys.argv[1]).resize((12250, 8166)).save(sys.argv[2], quality=85)";
  execFileSync(PYTHON, ["-c", make, `${EXAMPLES}/coffee.jpg`, huge]);
  await page.goto("/");
  await open(page, huge);
  await expect(page.getByRole("alert")).toContainText("12250×8166 pixels: worked on at 4096");
  await click(page, "coffee.jpg", 300, 200);
  await expect(objects(page)).toHaveCount(1);
  const table = await coco(page);
  expect(table.annotations[0]!.segmentation.size).toEqual([8166, 12250]);
});
