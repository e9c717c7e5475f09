/** A ZIP archive of stored files: PNG and JSON of masks are small already. */

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(content: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of content) value = TABLE[(value ^ byte) & 255]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** Names are UTF-8 and have no date. */
export function zip(files: readonly (readonly [string, Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, content] of files) {
    const path = new TextEncoder().encode(name);
    const facts = [20, 0x0800, 0, 0, 0x21] as const;
    const sizes = [crc32(content), content.length, content.length] as const;
    const local = record(0x04034b50, facts, sizes, [path.length, 0], []);
    directory.push(
      record(0x02014b50, [20, ...facts], sizes, [path.length, 0, 0, 0, 0], [0, offset]),
      path,
    );
    parts.push(local, path, content);
    offset += local.length + path.length + content.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = record(
    0x06054b50,
    [0, 0, files.length, files.length],
    [length, offset],
    [0],
    [],
  );
  return joined([...parts, ...directory, end]);
}

/** A signature, 16-bit numbers, 32-bit numbers, then both again. */
function record(
  signature: number,
  shorts: readonly number[],
  longs: readonly number[],
  laterShorts: readonly number[],
  laterLongs: readonly number[],
): Uint8Array {
  const size = 4 + 2 * (shorts.length + laterShorts.length) + 4 * (longs.length + laterLongs.length);
  const view = new DataView(new ArrayBuffer(size));
  let at = 4;
  view.setUint32(0, signature, true);
  for (const [values, bytes] of [
    [shorts, 2],
    [longs, 4],
    [laterShorts, 2],
    [laterLongs, 4],
  ] as const) {
    for (const value of values) {
      if (bytes === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      at += bytes;
    }
  }
  return new Uint8Array(view.buffer);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
