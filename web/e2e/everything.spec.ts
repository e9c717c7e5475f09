/** A first pass over all objects, enough of it, and objects selected where they are. */
import { execFileSync } from "node:child_process";
import { EXAMPLES, PYTHON, click, coco, expect, objects, open, place, settled, test } from "./page";

/** Few crops have place in it. */
const SMALL = { width: 150, height: 100 };

test("everything is found, added once, and taken back by one step", async ({ page }, info) => {
  const small = info.outputPath("small.png");
  const make =
    "import sys; from PIL import Image; " +
    "Image.open(sys.argv[1]).resize((int(sys.argv[3]), int(sys.argv[4]))).save(sys.argv[2])";
  const size = [`${SMALL.width}`, `${SMALL.height}`];
  execFileSync(PYTHON, ["-c", make, `${EXAMPLES}/coffee.jpg`, small, ...size]);
  await page.goto("/");
  await open(page, small);
  await page.getByRole("button", { name: "Everything" }).click();
  await expect(page.getByRole("alert")).toContainText("objects were found");
  await settled(page);
  const count = await objects(page).count();
  expect(count).toBeGreaterThan(1);
  const { annotations } = await coco(page);
  expect(annotations.map(({ id }) => id)).toEqual(annotations.map((_, i) => i + 1));

  await page.locator("canvas").press("f");
  await expect(page.getByRole("alert")).toContainText("nothing more was found");
  await settled(page);
  await expect(objects(page)).toHaveCount(count);
  await page.keyboard.press("Control+z");
  await expect(objects(page)).toHaveCount(0);
});

test("a search can be ended, and an object be selected where it is", async ({ page }) => {
  await page.goto("/");
  await open(page, "coffee.jpg");
  await click(page, "coffee.jpg", 300, 200);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Done" })).toHaveCount(0);
  const at = await place(page, "coffee.jpg", 300, 200);
  await page.keyboard.down("Control");
  await page.mouse.click(at.x, at.y);
  await page.keyboard.up("Control");
  await expect(page.getByRole("button", { name: "Done" })).toBeVisible();

  await page.getByRole("button", { name: "Everything" }).click();
  await expect(page.getByRole("status")).toHaveText(/Looking… \d+ %/);
  await page.getByRole("button", { name: "Stop" }).click();
  await settled(page);
  await expect(page.getByRole("button", { name: "Everything" })).toBeEnabled();
});

test("a search ends with the photograph that it is about", async ({ page }) => {
  await page.goto("/");
  await open(page, "coffee.jpg", "rocket.jpg");
  await page.getByRole("button", { name: "Everything" }).click();
  await page.getByRole("button", { name: "Next photograph" }).click();
  await expect(page.getByText("2 of 2: rocket.jpg")).toBeVisible();
  await settled(page);
  await expect(objects(page)).toHaveCount(0);

  await page.getByRole("button", { name: "Everything" }).click();
  page.once("dialog", (dialog) => void dialog.accept());
  await page.getByRole("button", { name: "Forget all" }).click();
  await expect(page.getByRole("button", { name: "Open photographs" })).toBeVisible();
  await open(page, "coffee.jpg");
  await expect(objects(page)).toHaveCount(0);
});
