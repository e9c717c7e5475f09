import { click, expect, objects, open, test } from "./page";

test("works offline after the first visit", async ({ page, context }) => {
  await page.goto("/");
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await context.setOffline(true);
  await page.reload();
  await open(page, "astronaut.jpg");
  await click(page, "astronaut.jpg", 398, 427);
  await expect(objects(page)).toHaveCount(1);
  await click(page, "astronaut.jpg", 380, 380);
  await expect(objects(page)).toHaveCount(1);
  await context.setOffline(false);
});
