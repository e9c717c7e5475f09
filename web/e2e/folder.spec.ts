import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Name, EXAMPLES, PYTHON, checked, click, expect, objects, settled, test } from "./page";

const before = {
  info: { year: 1971, made: "by hand" },
  images: [{ id: 7, file_name: "coffee.jpg", width: 600, height: 400, license: 3 }],
  annotations: [
    {
      id: 40,
      image_id: 7,
      category_id: 2,
      iscrowd: 1,
      // Columns 10 and 11 from the first row on: 20 pixels and 5.
      segmentation: { size: [400, 600], counts: [4000, 20, 380, 5, 235_595] },
      bbox: [10, 0, 2, 20],
      area: 25,
      who: "me",
    },
  ],
  categories: [{ id: 2, name: "cup", supercategory: "kitchen" }],
};

let folder: string;
let server: ChildProcess;
let address: string;

test.beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "picosam2-"));
  for (const name of ["coffee.jpg", "rocket.jpg"]) cpSync(`${EXAMPLES}/${name}`, join(folder, name));
  writeFileSync(join(folder, "instances.json"), JSON.stringify(before));
  server = spawn(PYTHON, ["-m", "picosam2", "web", folder, "--no-browser"]);
  address = await new Promise<string>((resolve) =>
    server.stderr!.on("data", (line) => resolve(String(line).split(" ")[0]!)),
  );
});

test.afterEach(() => {
  server.kill();
  rmSync(folder, { recursive: true });
});

const path = () => join(folder, "instances.json");
const read = () => JSON.parse(readFileSync(path(), "utf8"));

test("a folder's annotations are corrected and written back", async ({ page }) => {
  await page.goto(address);
  await settled(page);
  await expect(objects(page)).toHaveCount(1);
  await click(page, "coffee.jpg" satisfies Name, 300, 200);
  await expect(objects(page)).toHaveCount(2);
  await expect.poll(() => read().annotations.length).toBe(2);
  const file = read();
  expect(file.annotations[0]).toEqual(before.annotations[0]);
  expect([file.info, file.images, file.categories]).toEqual([
    before.info,
    before.images,
    before.categories,
  ]);
  expect(file.annotations[1]).toMatchObject({ id: 41, image_id: 7, category_id: 2, iscrowd: 0 });
  expect(JSON.parse(readFileSync(`${path()}.bak`, "utf8"))).toEqual(before);
  checked(path());

  await page.reload();
  await settled(page);
  await expect(objects(page)).toHaveCount(2);

  const theirs = JSON.stringify({ ...before, info: "another program's" });
  writeFileSync(path(), theirs);
  const canvas = page.locator("canvas");
  await canvas.click({ position: { x: 500, y: 200 } });
  await expect(page.getByRole("alert")).toContainText("changed by another program");
  await expect(page.getByRole("status")).toHaveText("Not saved");
  expect(readFileSync(path(), "utf8")).toBe(theirs);
});

test("the page says that it works until a photograph of a slow disk is there", async ({ page }) => {
  await page.route("**/api/**", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await route.continue();
  });
  await page.goto(address);
  // The first that it says: "Saved" would call for a click that nothing could answer yet.
  expect(await page.getByRole("status").textContent()).toBe("Working…");
  await click(page, "coffee.jpg" satisfies Name, 300, 200);
  await expect(objects(page)).toHaveCount(2);
});

test("the folder is closed to a page without the token", async ({ page }) => {
  await page.goto(`${address.split("#")[0]}#folder=wrong`);
  await expect(page.getByRole("alert")).toContainText("open the address that picosam2 web has said");
});
