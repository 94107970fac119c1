// Label maps in the browser: one number a pixel, 0 is none. Painting, drawing, and PNG both ways.

const COLORS = [[255, 40, 170], [0, 200, 255], [255, 200, 0], [120, 255, 60], [190, 120, 255], [255, 120, 60]];

export function color(target) {
  return COLORS[(target - 1) % COLORS.length];
}

/** Set a disc that moves from (x0, y0) to (x1, y1) to a number. */
export function stroke(labels, width, height, x0, y0, x1, y1, radius, number) {
  const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - radius));
  const bottom = Math.min(height - 1, Math.ceil(Math.max(y0, y1) + radius));
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - radius));
  const right = Math.min(width - 1, Math.ceil(Math.max(x0, x1) + radius));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = length ? Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
      const ex = x - x0 - along * dx, ey = y - y0 - along * dy;
      if (ex * ex + ey * ey <= radius * radius) labels[y * width + x] = number;
    }
  }
}

/** Draw the map: each target tinted, with a bright outline. */
export function draw(context, labels, width, height) {
  const image = context.createImageData(width, height), pixels = image.data;
  const reach = Math.max(1, Math.round(width / 640));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const target = labels[at];
      if (!target) continue;
      const inside = x >= reach && x < width - reach && y >= reach && y < height - reach
        && labels[at - reach] === target && labels[at + reach] === target
        && labels[at - reach * width] === target && labels[at + reach * width] === target;
      const [red, green, blue] = color(target);
      pixels[4 * at] = red;
      pixels[4 * at + 1] = green;
      pixels[4 * at + 2] = blue;
      pixels[4 * at + 3] = inside ? 90 : 255;
    }
  }
  context.putImageData(image, 0, 0);
}

/** Read a map from a PNG blob of one channel, or a gray one. */
export async function read(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  const labels = new Uint8Array(bitmap.width * bitmap.height);
  for (let at = 0; at < labels.length; at++) labels[at] = pixels[4 * at];
  return { labels, width: bitmap.width, height: bitmap.height };
}

/** Write a map as a PNG in base64; its numbers are in all three channels. */
export async function write(labels, width, height) {
  const image = new ImageData(width, height);
  for (let at = 0; at < labels.length; at++) {
    image.data[4 * at] = image.data[4 * at + 1] = image.data[4 * at + 2] = labels[at];
    image.data[4 * at + 3] = 255;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** A blob of base64. */
export function blobOf(base64) {
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: "image/png" });
}
