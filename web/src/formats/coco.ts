/** COCO's JSON: what a person made, on top of what a file held before. */
import { area, resized, trim } from "../predictor/patches";
import type { Patch } from "../predictor/patches";
import type { Size } from "../predictor/prompt";
import {
  type Category,
  type Photograph,
  type Thing,
  maskOf,
  workingSize,
} from "../state/model";
import { type Ring, fill } from "./rings";
import { type Rle, decode, encode } from "./rle";

type Extra = Readonly<Record<string, unknown>>;

export interface CocoImage extends Extra {
  readonly id: number;
  readonly file_name: string;
  readonly width: number;
  readonly height: number;
}

export interface CocoAnnotation extends Extra {
  readonly id: number;
  readonly image_id: number;
  readonly category_id: number;
  readonly segmentation?: Rle | readonly Ring[];
}

export interface CocoFile extends Extra {
  readonly images: readonly CocoImage[];
  readonly annotations: readonly CocoAnnotation[];
  readonly categories: readonly (Extra & Category)[];
}

/**
 * Check what has been read.
 *
 * @throws Error it is not a COCO file.
 */
export function readCoco(content: unknown): CocoFile {
  const file = content as Partial<CocoFile> | null;
  const lists = [file?.images, file?.annotations, file?.categories];
  const good =
    lists.every((list) => Array.isArray(list)) &&
    file!.images!.every((image) => isId(image.id) && typeof image.file_name === "string") &&
    file!.annotations!.every((one) => isId(one.id) && isId(one.image_id) && isId(one.category_id)) &&
    file!.categories!.every((one) => isId(one.id) && typeof one.name === "string");
  if (!good) throw new Error("this is not COCO JSON: images, annotations and categories are needed");
  return file as CocoFile;
}

/** JavaScript's numbers hold no larger ones exactly. */
function isId(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

/** The image of a photograph: that of its name, with or without folders. */
export function imageOf(file: CocoFile, name: string): CocoImage | undefined {
  const base = (path: string) => path.split("/").at(-1);
  return (
    file.images.find((image) => image.file_name === name) ??
    file.images.find((image) => base(image.file_name) === base(name))
  );
}

/** The objects of one image, at the size that it is worked on at; those without a mask are not. */
export function thingsOf(file: CocoFile, image: CocoImage, firstId: number): Thing[] {
  const full = { width: image.width, height: image.height };
  const things: Thing[] = [];
  for (const annotation of file.annotations) {
    if (annotation.image_id !== image.id || !annotation.segmentation) continue;
    const mask = resized(maskFrom(annotation.segmentation, full), full, workingSize(full));
    things.push({
      id: firstId + things.length,
      category: annotation.category_id,
      candidates: [{ mask, score: null, reading: null }],
      choice: 0,
      clicks: [],
      within: null,
      source: { id: annotation.id, untouched: true },
    });
  }
  return things;
}

function maskFrom(segmentation: Rle | readonly Ring[], size: Size): Patch {
  return "counts" in segmentation ? trim(decode(segmentation)) : fill(segmentation, size);
}

/**
 * The file with what was made: what belongs to other images, fields that nobody knows here, and
 * masks that were not touched stay as they are.
 */
export function writeCoco(
  before: CocoFile | null,
  photographs: readonly Photograph[],
  categories: readonly Category[],
): CocoFile {
  const images = [...(before?.images ?? [])];
  let nextImage = 1 + largest(images);
  const old = new Map((before?.annotations ?? []).map((one) => [one.id, one]));
  let nextId = 1 + largest([...old.values()]);
  const mine = new Map<number, CocoAnnotation[]>();
  for (const photograph of photographs) {
    const { width, height } = photograph.full;
    let image = before ? imageOf(before, photograph.name) : undefined;
    if (!image) {
      image = { id: nextImage++, file_name: photograph.name, width, height };
      images.push(image);
    }
    const { id } = image;
    const written = photograph.things.map((thing) =>
      annotation(thing, photograph, id, old, () => nextId++),
    );
    // What has no mask is not shown here, and so not taken away either.
    const unseen = [...old.values()].filter((one) => one.image_id === id && !one.segmentation);
    mine.set(id, [...unseen, ...written]);
  }
  const others = [...old.values()].filter((one) => !mine.has(one.image_id));
  return {
    ...before,
    images,
    annotations: [...others, ...[...mine.values()].flat()],
    categories: named(before, categories),
  };
}

function annotation(
  thing: Thing,
  photograph: Photograph,
  imageId: number,
  old: Map<number, CocoAnnotation>,
  newId: () => number,
): CocoAnnotation {
  const source = thing.source && old.get(thing.source.id);
  if (source && thing.source?.untouched) return { ...source, category_id: thing.category };
  const { full } = photograph;
  const mask = resized(maskOf(thing), workingSize(full), full);
  const { score } = thing.candidates[thing.choice]!;
  return {
    iscrowd: 0,
    ...source,
    id: source?.id ?? newId(),
    image_id: imageId,
    category_id: thing.category,
    segmentation: encode(mask, full),
    area: area(mask),
    bbox: [mask.x, mask.y, mask.width, mask.height],
    ...(score === null ? {} : { score }),
  };
}

function largest(list: readonly { readonly id: number }[]): number {
  return list.reduce((most, { id }) => Math.max(most, id), 0);
}

/** The categories of the file, renamed where they were, and new ones. */
function named(before: CocoFile | null, categories: readonly Category[]): (Extra & Category)[] {
  const kept = (before?.categories ?? []).map((old) => {
    const now = categories.find(({ id }) => id === old.id);
    return now ? { ...old, name: now.name } : old;
  });
  const known = new Set(kept.map(({ id }) => id));
  const added = categories.filter(({ id }) => !known.has(id));
  return [...kept, ...added.map((category) => ({ ...category }))];
}
