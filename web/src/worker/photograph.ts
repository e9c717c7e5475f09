/** Decoding photographs. */
import type { Pixels, Size } from "../predictor/prompt";
import { workingSize } from "../state/model";

/** A photograph at the size that it is worked on at. */
export interface Decoded {
  readonly full: Size;
  readonly pixels: Pixels;
  readonly picture: ImageBitmap;
}

/**
 * Decode a file: turned as its EXIF says, on white where it is transparent.
 *
 * @throws Error it is no photograph that this browser reads, or too large for it.
 */
export async function decode(file: Blob): Promise<Decoded> {
  const whole = await createImageBitmap(file).catch(() => {
    throw new Error(
      "this browser cannot read it: it is damaged, too large, or no JPEG, PNG, WebP, GIF or AVIF",
    );
  });
  const full = { width: whole.width, height: whole.height };
  const drawn = onCanvas(whole, workingSize(full));
  whole.close();
  return { full, ...drawn };
}

/**
 * A picture's pixels at a size, on white where it is transparent.
 *
 * @throws Error there is not enough memory.
 */
export function onCanvas(whole: ImageBitmap, { width, height }: Size): Omit<Decoded, "full"> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (!context) throw new Error("there is not enough memory for it: close other pages");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(whole, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return { pixels: { width, height, data }, picture: canvas.transferToImageBitmap() };
}
