import { coco, expect, objects, open, settled, test } from "./page";

test("everything by the keyboard", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "PicoSAM2" })).toBeVisible();
  // Playwright may begin to wait for the dialog after the first key has opened it.
  await expect(async () => {
    const chooser = page.waitForEvent("filechooser", { timeout: 2000 });
    await page.keyboard.press("o");
    await (await chooser).setFiles("../src/picosam2/examples/images/coffee.jpg");
  }).toPass();
  await settled(page);

  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Space");
  await expect(objects(page)).toHaveCount(1);
  await settled(page);
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Space");
  await settled(page);
  await page.keyboard.press("Shift+ArrowDown");
  await page.keyboard.press("x");
  await settled(page);
  await page.keyboard.press("Enter");

  for (const key of ["b", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowRight", "b"]) {
    await page.keyboard.press(key);
  }
  await expect(objects(page)).toHaveCount(2);
  await settled(page);
  await page.keyboard.press("[");
  await page.keyboard.press("Delete");
  await expect(objects(page)).toHaveCount(1);
  await page.keyboard.press("Control+z");
  await expect(objects(page)).toHaveCount(2);

  await page.keyboard.press("+");
  await page.keyboard.press("0");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await settled(page);

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.keyboard.press("Control+s"),
  ]);
  expect(download.suggestedFilename()).toBe("instances.json");
  expect((await coco(page)).annotations.length).toBe(2);
});

test("the next photograph by the keyboard", async ({ page }) => {
  await page.goto("/");
  await open(page, "coffee.jpg", "rocket.jpg");
  await page.keyboard.press("PageDown");
  await expect(page.getByText("2 of 2: rocket.jpg")).toBeVisible();
  await page.keyboard.press("PageUp");
  await expect(page.getByText("1 of 2: coffee.jpg")).toBeVisible();
});
