/** Files that are made of what a person did, at the photographs' full size. */
import { writeCoco } from "../formats/coco";
import { yoloData, yoloLabels } from "../formats/yolo";
import { zip } from "../formats/zip";
import { type Patch, resized } from "../predictor/patches";
import { type Photograph, maskOf, workingSize } from "./model";
import type { Session } from "./session";

const text = (content: string) => new TextEncoder().encode(content);

/** A file and what it is called. */
export interface Made {
  readonly name: string;
  readonly content: Blob;
}

/** All photographs' objects as COCO JSON; fields of an imported file are kept. */
export function cocoFile(session: Session): Made {
  const { photographs, categories } = session.view;
  const seen = photographs.filter(({ full }) => full.width > 0);
  const file = JSON.stringify(writeCoco(session.before, seen, categories));
  return { name: "instances.json", content: new Blob([file], { type: "application/json" }) };
}

/** All photographs' objects as YOLO's labels. */
export function yoloFile(session: Session): Made {
  const { photographs, categories } = session.view;
  const files = photographs
    .filter(({ things }) => things.length)
    .map((one) => [`labels/${stem(one.name)}.txt`, text(yoloLabels(one, categories))] as const);
  const archive = zip([["data.yaml", text(yoloData(categories))], ...files]);
  return { name: "yolo-seg.zip", content: new Blob([archive], { type: "application/zip" }) };
}

/** A PNG an object of all photographs, white on black. */
export async function maskFiles(session: Session): Promise<Made> {
  const files: [string, Uint8Array][] = [];
  for (const photograph of session.view.photographs) {
    for (const [i, thing] of photograph.things.entries()) {
      const mask = fullMask(photograph, maskOf(thing));
      const canvas = canvasOf(photograph.full.width, photograph.full.height);
      const context = canvas.getContext("2d", { alpha: false })!;
      context.fillStyle = "black";
      context.fillRect(0, 0, canvas.width, canvas.height);
      if (mask.width) context.drawImage(stencil(mask), mask.x, mask.y);
      const png = await canvas.convertToBlob({ type: "image/png" });
      const name = `masks/${stem(photograph.name)}.${i + 1}.png`;
      files.push([name, new Uint8Array(await png.arrayBuffer())]);
    }
  }
  return { name: "masks.zip", content: new Blob([zip(files)], { type: "application/zip" }) };
}

/**
 * The selected object, or all of the photograph's, cut out on a transparent ground.
 *
 * @throws Error there is no object.
 */
export async function cutOut(session: Session): Promise<Made> {
  const photograph = session.photograph;
  const things = session.active ? [session.active] : (photograph?.things ?? []);
  if (!photograph || !things.length) throw new Error("there is no object to cut out");
  const masks = things.map((thing) => fullMask(photograph, maskOf(thing)));
  const x0 = Math.min(...masks.map(({ x }) => x));
  const y0 = Math.min(...masks.map(({ y }) => y));
  const x1 = Math.max(...masks.map(({ x, width }) => x + width));
  const y1 = Math.max(...masks.map(({ y, height }) => y + height));
  const canvas = canvasOf(x1 - x0, y1 - y0);
  const context = canvas.getContext("2d")!;
  for (const mask of masks) context.drawImage(stencil(mask), mask.x - x0, mask.y - y0);
  const picture = await createImageBitmap(await session.file(photograph));
  context.globalCompositeOperation = "source-in";
  context.drawImage(picture, -x0, -y0);
  picture.close();
  const content = await canvas.convertToBlob({ type: "image/png" });
  return { name: `${stem(photograph.name)}.cutout.png`, content };
}

/** Offer a file to be saved. */
export function save({ name, content }: Made): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function fullMask({ full }: Photograph, mask: Patch): Patch {
  return resized(mask, workingSize(full), full);
}

/** A mask in white on nothing. */
function stencil({ width, height, data }: Patch): OffscreenCanvas {
  const canvas = canvasOf(width, height);
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < data.length; i++) if (data[i]) pixels[i] = 0xffffffff;
  context.putImageData(image, 0, 0);
  return canvas;
}

function canvasOf(width: number, height: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(width, height);
  if (width * height > 2 ** 28) throw new Error("the photograph is too large for this browser");
  return canvas;
}

function stem(name: string): string {
  return name.replace(/\.[^./]+$/, "");
}
