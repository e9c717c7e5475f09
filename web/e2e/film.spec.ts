/** A camera (Chromium's, playing a file) and a video file: click once, the mask follows. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import type { Locator, Page } from "@playwright/test";
import { PYTHON, expect, placeIn, test } from "./page";

const FOLDER = "test-results/films";
mkdirSync(FOLDER, { recursive: true });
for (const name of ["moving.y4m", "moving.webm"]) {
  execFileSync(PYTHON, ["e2e/make_film.py", `${FOLDER}/${name}`]);
}

/** The face of the astronaut where the view is farthest to the left: pixels of the frame. */
const FACE = { x: 178, y: 105 };
const [WIDTH, HEIGHT] = [320, 240];

test.use({
  launchOptions: {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-video-capture=${FOLDER}/moving.y4m`,
    ],
  },
});

function stage(page: Page): Locator {
  return page.getByRole("dialog").locator("canvas");
}

function followed(page: Page): Locator {
  return page.getByRole("list", { name: "Objects that are followed" }).getByRole("listitem");
}

async function press(page: Page, x: number, y: number, button: "left" | "right" = "left") {
  const at = await placeIn(stage(page), [WIDTH, HEIGHT], x, y);
  await page.mouse.click(at.x, at.y, { button });
}

/** The middle of the outline of object 1 in pixels of the frame; null where there is none. */
function outline(page: Page): Promise<number | null> {
  return stage(page).evaluate(
    (canvas: HTMLCanvasElement, { width, height }) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      const columns: number[] = [];
      for (let i = 0; i < data.length; i += 4) {
        // The first colour of the objects, #56b4e9.
        if (data[i] === 0x56 && data[i + 1] === 0xb4 && data[i + 2] === 0xe9) {
          columns.push((i / 4) % canvas.width);
        }
      }
      if (!columns.length) return null;
      columns.sort((a, b) => a - b);
      const scale = Math.min(canvas.width / width, canvas.height / height) * 0.96;
      const middle = (columns[0]! + columns.at(-1)!) / 2;
      return (middle - (canvas.width - width * scale) / 2) / scale;
    },
    { width: WIDTH, height: HEIGHT },
  );
}

test("a camera: a click is followed as the view moves", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Camera" }).click();
  await expect(page.getByRole("dialog")).toContainText("frames a second");
  await press(page, FACE.x - 25, FACE.y);
  await expect(followed(page)).toHaveCount(1);
  const places: number[] = [];
  for (let i = 0; i < 12; i++) {
    const place = await outline(page);
    if (place !== null) places.push(place);
    await page.waitForTimeout(250);
  }
  expect(places.length).toBeGreaterThan(6);
  expect(Math.max(...places) - Math.min(...places)).toBeGreaterThan(25);

  await page.getByRole("button", { name: "Another object" }).click();
  await press(page, 160, 225);
  await expect(followed(page)).toHaveCount(2);
  await page.getByRole("button", { name: "Follow object 1 no longer" }).click();
  await expect(followed(page)).toHaveCount(1);
  await page.getByRole("button", { name: "Close" }).click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a video file: paused, clicked, corrected, followed to its end", async ({ page }) => {
  await page.goto("/");
  await page.getByTestId("files").setInputFiles(`${FOLDER}/moving.webm`);
  await expect(page.getByRole("dialog")).toContainText("frames a second");
  await stage(page).press(" ");
  await page.getByRole("button", { name: "From the beginning" }).click();
  await page.getByRole("button", { name: "Pause" }).click();
  const from = (await stage(page).boundingBox())!;
  expect(from.width).toBeGreaterThan(300);
  await press(page, FACE.x - 10, FACE.y);
  await expect(followed(page)).toHaveCount(1);
  await press(page, 40, 30, "right");
  await expect(followed(page)).toHaveCount(1);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.waitForFunction(() => document.querySelector("video")!.ended);
  await page.waitForTimeout(500);
  const end = await outline(page);
  expect(end).not.toBeNull();
  expect(Math.abs(end! - FACE.x)).toBeLessThan(60);
  await expect(followed(page)).toContainText("%");
});

test("a video beside photographs is left out, and said to be", async ({ page }) => {
  await page.goto("/");
  const photograph = "../src/picosam2/examples/images/coffee.jpg";
  await page.getByTestId("files").setInputFiles([`${FOLDER}/moving.webm`, photograph]);
  await expect(page.getByRole("alert")).toContainText("videos beside photographs were left out");
  await expect(page.getByText("1 of 1: coffee.jpg")).toBeVisible();
});

test("a video that cannot be played is said to be none", async ({ page }) => {
  await page.goto("/");
  await page.getByTestId("files").setInputFiles({
    name: "broken.webm",
    mimeType: "video/webm",
    buffer: Buffer.from("this is no video"),
  });
  await expect(page.getByRole("alert")).toContainText("this browser cannot play it");
});
