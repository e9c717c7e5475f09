import { coco, expect, objects, open, place, settled, test } from "./page";

test.use({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });

test("fingers on a phone", async ({ page, context }) => {
  await page.goto("/");
  await open(page, "astronaut.jpg");
  const at = await place(page, "astronaut.jpg", 398, 427);
  await page.touchscreen.tap(at.x, at.y);
  await expect(objects(page)).toHaveCount(1);
  await settled(page);
  await page.getByRole("button", { name: "Take away" }).tap();
  const beside = await place(page, "astronaut.jpg", 330, 330);
  await page.touchscreen.tap(beside.x, beside.y);
  await settled(page);
  await expect(objects(page)).toHaveCount(1);
  expect((await coco(page)).annotations.length).toBe(1);

  const before = await page.locator("canvas").screenshot();
  const client = await context.newCDPSession(page);
  const touch = (type: string, apart: number) =>
    client.send("Input.dispatchTouchEvent", {
      type: type as "touchStart",
      touchPoints:
        type === "touchEnd"
          ? []
          : [-1, 1].map((side, id) => ({ x: at.x - 60 + side * apart, y: at.y - 60, id })),
    });
  await touch("touchStart", 20);
  for (const apart of [30, 45, 60]) await touch("touchMove", apart);
  await touch("touchEnd", 0);
  await expect
    .poll(async () => (await page.locator("canvas").screenshot()).equals(before))
    .toBe(false);
  await expect(objects(page)).toHaveCount(1);
});
