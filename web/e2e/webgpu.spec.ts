/** WebGPU, computed by the processor (SwiftShader): asked for, used, and lost. */
import { click, expect, objects, open, test } from "./page";

test.use({
  launchOptions: {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
  },
});

/** In the worker: how often work was given to the device. */
const COUNT = `
  self.submitted = 0;
  const submit = GPUQueue.prototype.submit;
  GPUQueue.prototype.submit = function (...given) {
    self.submitted++;
    return submit.apply(this, given);
  };
  undefined;
`;

test("a graphics device answers, and is lost without a loss", async ({ page }) => {
  await page.goto("/?engine=webgpu");
  await open(page, "coffee.jpg");
  await click(page, "coffee.jpg", 300, 200);
  await expect(objects(page)).toHaveCount(1);
  const worker = page.workers()[0]!;
  await worker.evaluate(COUNT);
  await page.keyboard.press("Enter");
  await click(page, "coffee.jpg", 100, 100);
  expect(await worker.evaluate("self.submitted")).toBeGreaterThan(0);

  await worker.evaluate('GPUQueue.prototype.submit = () => { throw new Error("lost"); }');
  await page.keyboard.press("Enter");
  const before = await objects(page).count();
  await click(page, "coffee.jpg", 450, 300);
  await expect(page.getByRole("alert")).toContainText("the processor goes on");
  await expect(objects(page)).toHaveCount(before + 1);
});
