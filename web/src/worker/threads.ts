/** Whether LiteRT may use threads: asked by its worker, and for what is kept for offline. */
import { supportsFeature } from "@litertjs/core";

/** In a page that shares its process with no other origin, by a browser with relaxed SIMD. */
export async function canThread(): Promise<boolean> {
  return self.crossOriginIsolated && (await supportsFeature("relaxedSimd"));
}
