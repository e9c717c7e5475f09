import { defineConfig } from "vitest/config";
import { finish } from "./plugins/finish";

export default defineConfig({
  // The page works in any folder of any host.
  base: "./",
  assetsInclude: ["**/*.tflite"],
  build: {
    outDir: "../src/picosam2/web",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
  },
  plugins: [finish()],
  // Not a module: LiteRT loads its script by `importScripts`.
  worker: { format: "iife" },
  server: { fs: { allow: [".."] } },
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000 },
});
