import { click, coco, expect, exported, objects, open, pixelAt, place, settled, test } from "./page";

test("open, click, add, take away, box, class, undo, reload, export", async ({ page }) => {
  await page.goto("/");
  await open(page, "astronaut.jpg", "coffee.jpg");
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);

  await click(page, "astronaut.jpg", 398, 427);
  await expect(objects(page)).toHaveCount(1);
  const first = (await coco(page)).annotations[0]!;

  await click(page, "astronaut.jpg", 380, 380);
  await click(page, "astronaut.jpg", 330, 330, "right");
  await expect(objects(page)).toHaveCount(1);
  const download = await exported(page, "COCO JSON");
  const path = await download.path();
  expect(download.suggestedFilename()).toBe("instances.json");
  expect(pixelAt(path, 1, 398, 427)).toBe(true);
  expect(pixelAt(path, 1, 380, 380)).toBe(true);
  expect(pixelAt(path, 1, 330, 330)).toBe(false);

  await page.keyboard.press("Enter");
  const [from, to] = [
    await place(page, "astronaut.jpg", 150, 20),
    await place(page, "astronaut.jpg", 290, 250),
  ];
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 5 });
  await page.mouse.up();
  await settled(page);
  await expect(objects(page)).toHaveCount(2);

  await page.getByLabel("Name of a new class").fill("face");
  await page.getByLabel("Name of a new class").press("Enter");
  await expect(objects(page).nth(1)).toContainText("face");
  await page.keyboard.press("1");
  await expect(objects(page).nth(1)).toContainText("object");
  await page.keyboard.press("2");
  await settled(page);

  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Next photograph" }).click();
  await settled(page);
  await click(page, "coffee.jpg", 300, 200);
  await expect(objects(page)).toHaveCount(1);
  await page.keyboard.press("Control+z");
  await expect(objects(page)).toHaveCount(0);
  await page.keyboard.press("Control+y");
  await expect(objects(page)).toHaveCount(1);
  await settled(page);

  await page.reload();
  await settled(page);
  await expect(page.getByText("2 of 2: coffee.jpg")).toBeVisible();
  await expect(objects(page)).toHaveCount(1);
  const table = await coco(page);
  expect(table.images.map(({ file_name: name }) => name)).toEqual(["astronaut.jpg", "coffee.jpg"]);
  expect(table.categories).toEqual([
    { id: 1, name: "object" },
    { id: 2, name: "face" },
  ]);
  expect(table.annotations.map(({ category_id: id }) => id)).toEqual([1, 2, 2]);
  expect(table.annotations[0]!.area).not.toBe(first.area);
  // The face's box, and a tenth of it and a pixel more.
  const [x, y, width, height] = table.annotations[1]!.bbox;
  expect(x).toBeGreaterThanOrEqual(134);
  expect(y).toBeGreaterThanOrEqual(0);
  expect(x + width).toBeLessThanOrEqual(306);
  expect(y + height).toBeLessThanOrEqual(275);
});

test("hover shows what a click gives, Tab another mask", async ({ page }) => {
  await page.goto("/");
  await open(page, "chelsea.jpg");
  const at = await place(page, "chelsea.jpg", 140, 110);
  const before = await page.locator("canvas").screenshot();
  await page.mouse.move(at.x, at.y);
  await expect
    .poll(async () => (await page.locator("canvas").screenshot()).equals(before))
    .toBe(false);
  await page.mouse.click(at.x, at.y);
  await settled(page);
  const choice = page.getByRole("button", { name: /^Mask \d of/ });
  await expect(choice).toHaveText(/Mask 1 of/);
  const first = (await coco(page)).annotations[0]!.area;
  await page.locator("canvas").focus();
  await page.keyboard.press("Tab");
  await expect(choice).toHaveText(/Mask 2 of/);
  expect((await coco(page)).annotations[0]!.area).not.toBe(first);
});

test("brush, YOLO, PNG masks, cut-out, import", async ({ page }) => {
  await page.goto("/");
  await open(page, "rocket.jpg");
  await page.getByRole("button", { name: "Brush" }).click();
  const [from, to] = [
    await place(page, "rocket.jpg", 100, 100),
    await place(page, "rocket.jpg", 200, 100),
  ];
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 4 });
  await page.mouse.up();
  await settled(page);
  const painted = (await coco(page)).annotations[0]!;
  expect(painted.area).toBeGreaterThan(1600);
  expect(painted.area).toBeLessThan(2000);
  expect("score" in painted).toBe(false);

  for (const [item, name] of [
    ["YOLO-seg", "yolo-seg.zip"],
    ["PNG masks", "masks.zip"],
    ["Cut-out of", "rocket.cutout.png"],
  ] as const) {
    expect((await exported(page, item)).suggestedFilename()).toBe(name);
  }

  await page.getByTestId("files").setInputFiles("../src/picosam2/examples/instances.json");
  await expect(page.getByRole("alert")).toContainText("1 photographs were imported");
  const table = await coco(page);
  expect(table.images.length).toBe(4);
  await page.keyboard.press("Control+z");
  await expect(objects(page)).toHaveCount(1);
});
