/** The figures and pictures of docs/web.md: FIGURES=1 npx playwright test e2e/figures.spec.ts */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "@playwright/test";
import { EXAMPLES, PYTHON, click, open, place, settled, test } from "./page";

const BUILT = "../src/picosam2/web";
const RESULTS = "../docs/results/web.json";
const CLICKS = 12;

test.skip(!process.env.FIGURES, "only where figures are asked for");

/** A photograph of 640×480 pixels. */
function photograph(path: string): string {
  const make =
    "import sys; from PIL import Image; " +
    "Image.open(sys.argv[1]).resize((640, 480)).save(sys.argv[2], quality=95)";
  execFileSync(PYTHON, ["-c", make, `${EXAMPLES}/coffee.jpg`, path]);
  return path;
}

/** Bytes of the page's files: as they are, and as servers send them. */
function sizes(): Record<string, number> {
  const all = readdirSync(BUILT, { recursive: true, encoding: "utf8" }).map((name) =>
    join(BUILT, name),
  );
  // Of the two builds of LiteRT a browser loads one.
  const files = all.filter(
    (file) => statSync(file).isFile() && !/\.br$|litert_wasm_compat/.test(file),
  );
  const sum = (bytes: (file: string) => number) => files.reduce((all, file) => all + bytes(file), 0);
  return {
    files: sum((file) => statSync(file).size),
    gzip: sum((file) => gzipSync(readFileSync(file), { level: 9 }).length),
    brotli: sum((file) => statSync(all.includes(`${file}.br`) ? `${file}.br` : file).size),
  };
}

/** From a press of the pointer to the object in the list, in ms, and since the navigation. */
async function watch(page: Page): Promise<void> {
  await page.evaluate(() => {
    const times: number[] = [];
    let pressed = 0;
    addEventListener("pointerdown", (event) => (pressed = event.timeStamp), true);
    const list = document.querySelector(".objects ul")!;
    new MutationObserver(() => {
      if (!pressed) return;
      times.push(performance.now() - pressed, performance.now());
      pressed = 0;
    }).observe(list, { childList: true });
    Object.assign(window, { times });
  });
}

/** Frames a second of one object, of a video that has more. */
async function followed(page: Page, film: string): Promise<number> {
  await page.getByTestId("files").setInputFiles(film);
  const sheet = page.getByRole("dialog");
  await sheet.getByText("frames a second").waitFor();
  const frame = (await sheet.locator("canvas").boundingBox())!;
  await page.mouse.click(frame.x + 0.55 * frame.width, frame.y + 0.45 * frame.height);
  await sheet.getByRole("listitem").first().waitFor();
  const rates: number[] = [];
  while (!(await page.evaluate(() => document.querySelector("video")!.ended))) {
    rates.push(parseFloat((await sheet.getByText("frames a second").textContent())!));
    await page.waitForTimeout(200);
  }
  return rates.sort((a, b) => a - b)[Math.floor(rates.length / 2)]!;
}

async function visit(browser: Browser, query: string, file: string, film: string) {
  const context = await browser.newContext({ serviceWorkers: "block" });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:8461/${query}`);
  await page.locator(".objects ul").waitFor({ state: "attached" });
  await watch(page);
  await open(page, file);
  const frame = (await page.locator("canvas").boundingBox())!;
  for (let i = 0; i < CLICKS; i++) {
    await page.mouse.click(
      frame.x + frame.width * (0.35 + 0.02 * i),
      frame.y + frame.height * (0.3 + 0.03 * (i % 7)),
    );
    await settled(page);
    await page.keyboard.press("Enter");
  }
  const times = await page.evaluate(() => (window as unknown as { times: number[] }).times);
  const memory = await page.evaluate(async () => {
    const measured = performance as unknown as {
      measureUserAgentSpecificMemory(): Promise<{ bytes: number }>;
    };
    return (await measured.measureUserAgentSpecificMemory()).bytes;
  });
  const started = await page.evaluate(() => performance.now());
  await page.getByRole("button", { name: "Everything" }).click();
  await page.getByRole("alert").waitFor();
  const everything = (await page.evaluate(() => performance.now())) - started;
  const rate = await followed(page, film);
  await context.close();
  const clicks = times.filter((_, i) => i % 2 === 0).slice(1);
  const sorted = [...clicks].sort((a, b) => a - b);
  return {
    first_mask_ms: Math.round(times[1]!),
    click_median_ms: Math.round(sorted[Math.floor(sorted.length / 2)]!),
    click_least_ms: Math.round(sorted[0]!),
    memory_mb: Math.round(memory / 1e6),
    everything_s: Math.round(everything / 100) / 10,
    frames_a_second: rate,
  };
}

test("figures", async ({ browser }, info) => {
  const file = photograph(info.outputPath("photograph.jpg"));
  const film = info.outputPath("film.webm");
  execFileSync(PYTHON, ["e2e/make_film.py", film, "60", "600"]);
  const load = () => Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
  const before = load();
  const figures = {
    browser: `Chromium ${browser.version()}`,
    machine: `${cpus().length} × ${cpus()[0]!.model}`,
    bytes: sizes(),
    one_thread: await visit(browser, "?threads=1", file, film),
    threads: await visit(browser, "", file, film),
    load_average: [before, load()],
  };
  writeFileSync(RESULTS, `${JSON.stringify(figures, null, 1)}\n`);
  console.log(figures);
});

test("picture", async ({ page }) => {
  await page.goto("/");
  await open(page, "coffee.jpg", "astronaut.jpg");
  await click(page, "coffee.jpg", 366, 285);
  await page.keyboard.press("Enter");
  await page.getByLabel("Name of a new class").fill("cup");
  await page.getByLabel("Name of a new class").press("Enter");
  const [from, to] = [
    await place(page, "coffee.jpg", 170, 12),
    await place(page, "coffee.jpg", 424, 245),
  ];
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 3 });
  await page.mouse.up();
  await settled(page);
  await page.screenshot({ path: "../docs/web.jpg", type: "jpeg", quality: 80 });
});
