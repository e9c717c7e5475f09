import { defineConfig } from "@playwright/test";

const port = 8461;
const python = process.env.PYTHON ?? "../.venv/bin/python";

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  timeout: 240_000,
  expect: { timeout: 90_000 },
  workers: 1,
  reporter: "list",
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    viewport: { width: 1200, height: 760 },
    launchOptions: {
      // Debian's: Playwright's own browsers are not installed.
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],
    },
  },
  webServer: {
    command: `${python} -m picosam2 web --no-browser --port ${port}`,
    url: `http://127.0.0.1:${port}/`,
  },
});
