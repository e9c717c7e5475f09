import { spawn } from "node:child_process";
import type { BrowserContext, Page } from "@playwright/test";
import { PYTHON, click, expect, objects, open, test } from "./page";

const STATIC = 8462;

async function visitAndLeave(page: Page, context: BrowserContext, address: string): Promise<void> {
  await page.goto(address);
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
}

test("works offline after the first visit", async ({ page, context }) => {
  await visitAndLeave(page, context, "/");
});

test("works on a host without the headers, with one thread, and offline too", async ({
  page,
  context,
}) => {
  const server = spawn(PYTHON, [
    ...["-m", "http.server", `${STATIC}`, "--bind", "127.0.0.1"],
    ...["--directory", "../src/picosam2/web"],
  ]);
  const address = `http://127.0.0.1:${STATIC}/`;
  await expect(async () => expect((await fetch(address)).ok).toBe(true)).toPass();
  await visitAndLeave(page, context, address);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  server.kill();
});
