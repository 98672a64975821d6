// The content ready to draw with, and painting what a model draws. Letters: N images, Z latent units, K classes.
import { backwards, norm, normalDraw } from "./algebra.js";
import { open } from "./network.js";

const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
const floatsOf = (base64) => new Float32Array(bytesOf(base64).buffer);

/** Codes [N, Z] that codes.py quantised: rows of Float32Array. */
function codesOf({ low, step, bytes }) {
  const [lows, steps, levels] = [floatsOf(low), floatsOf(step), bytesOf(bytes)];
  const units = lows.length;
  return Array.from({ length: levels.length / units }, (_, n) => lows.map((start, k) => start + steps[k] * levels[n * units + k]));
}

/** Rows of Z numbers out of one array. */
const rowsOf = (values, units) => Array.from({ length: values.length / units }, (_, n) => values.subarray(n * units, (n + 1) * units));

const mapped = (entries, change) => Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, change(entry)]));

function mapOf(entry) {
  const mean = codesOf(entry.mean);
  const units = mean[0].length;
  return {
    mean,
    units,
    std: entry.std && codesOf(entry.std),
    planes: mapped(entry.planes, ({ axes, share }) => ({ axes: rowsOf(floatsOf(axes), units), share })),
    classMeans: entry.class_means && rowsOf(floatsOf(entry.class_means), units),
    noise: norm(floatsOf(entry.mean.step)) / Math.sqrt(12 * units),
  };
}

/**
 * Images that were drawn beforehand on a plane of codes, as a network: of a code, the one whose place is nearest.
 * It stands for a network of layers that a page cannot run.
 */
async function drawnBefore({ src, columns, side, shape, ...numbers }) {
  const [, height, width] = shape;
  const [origin, axes, mean, scale] = ["origin", "axes", "prior_mean", "prior_scale"].map((name) => floatsOf(numbers[name]));
  const units = origin.length;
  const sheet = new Image();
  sheet.src = src;
  await sheet.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: sheet.width, height: sheet.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(sheet, 0, 0);
  const code = (z) => mean.map((start, to) => z.reduce((sum, value, from) => sum + value * scale[from * units + to], start));
  const cell = (vector, axis) => {
    const along = axes.subarray(axis * units, (axis + 1) * units);
    const [inner, square] = along.reduce(([a, b], value, k) => [a + value * (vector[k] - origin[k]), b + value * value], [0, 0]);
    const place = square ? inner / square : 0; // -1 to 1 from edge to edge
    return Math.max(0, Math.min(side - 1, Math.round(((place + 1) / 2) * (side - 1))));
  };
  return {
    shape,
    latentDim: units,
    drawnBefore: side * side,
    code,
    image(z, { code: isCode = false } = {}) {
      const vector = isCode ? z : code(z);
      const at = (side - 1 - cell(vector, 1)) * side + cell(vector, 0); // the second axis points up, as on the map
      return context.getImageData((at % columns) * width, Math.floor(at / columns) * height, width, height).data;
    },
  };
}

/** Everything in the content ready to draw with; the page's two languages share it. */
async function readScene(content) {
  const maps = mapped(content.maps, mapOf);
  const opened = (packed) => (packed?.plane ? drawnBefore(packed.plane) : packed ? open(packed) : null);
  const nets = await Promise.all(content.models.map((model) => opened(model.network)));
  const encoders = await Promise.all(content.models.map((model) => opened(model.encoder)));
  const models = content.models.map((model, k) => ({
    ...model,
    net: nets[k],
    encoder: encoders[k],
    inputShape: model.encoder?.description.input, // [C, H, W]
    codes: maps[model.codes_of] || null,
  }));
  for (const model of models) {
    const unit = maps[model.name];
    model.back = model.kind === "ae" && unit ? backwards(model.net, unit.noise) : null;
  }
  const sheet = content.thumbnails && new Image();
  if (sheet) {
    sheet.src = content.thumbnails.src;
    await sheet.decode();
  }
  return { ...content, maps, models, sheet, count: content.numbers ? content.numbers.length : 0 };
}

const scenes = new WeakMap();
export function sceneOf(content) {
  if (!scenes.has(content)) scenes.set(content, readScene(content));
  return scenes.get(content);
}

/** Paint what a model draws: from z, or from a code of its own. */
export function paint(canvas, model, vector, coded) {
  const [, height, width] = model.net.shape;
  canvas.width = width;
  canvas.height = height;
  const values = coded ? vector : fitted(vector, model.latent);
  canvas.getContext("2d").putImageData(new ImageData(model.net.image(Float32Array.from(values), { code: coded }), width, height), 0, 0);
}

/** z for a model with another number of latent units: cut off, or filled up with one draw. */
function fitted(z, units) {
  if (z.length === units) return z;
  const filling = normalDraw(0, units);
  return filling.map((value, k) => (k < z.length ? z[k] : value));
}

/** Paint a held-out image. */
export function paintOriginal(canvas, scene, row) {
  const [height, width] = scene.shape;
  canvas.width = width;
  canvas.height = height;
  drawOriginal(canvas.getContext("2d"), scene, row);
}

/** Draw a held-out image from the origin on, a unit for each of its pixels. */
export function drawOriginal(context, scene, row) {
  if (!scene.sheet) return;
  const [height, width] = scene.shape;
  const columns = scene.thumbnails.columns;
  const [x, y] = [(row % columns) * width, Math.floor(row / columns) * height];
  context.drawImage(scene.sheet, x, y, width, height, 0, 0, width, height);
}

/** Show pixels [C × H × W] in [0, 1]; null: black. */
export function paintPixels(canvas, pixels, [height, width, channels]) {
  [canvas.width, canvas.height] = [width, height];
  if (!pixels) return;
  const bytes = new Uint8ClampedArray(4 * width * height).fill(255);
  pixels.forEach((value, at) => {
    const [channel, place] = [Math.floor(at / (width * height)), at % (width * height)];
    if (channels === 3) bytes[4 * place + channel] = 255 * value;
    else bytes.fill(255 * value, 4 * place, 4 * place + 3);
  });
  canvas.getContext("2d").putImageData(new ImageData(bytes, width, height), 0, 0);
}

/** A held-out image as its networks are given it, [C × H × W] in [0, 1]; each pixel 0 or 1 for a model that learned such. */
export function pixelsOf(scene, row, { inputShape: [channels, height, width], binary }) {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d", { willReadFrequently: true });
  paintOriginal(canvas, scene, row);
  const bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const places = height * width;
  return Float32Array.from({ length: channels * places }, (_, at) => {
    const share = bytes[4 * (at % places) + Math.floor(at / places)] / 255;
    return binary ? Number(share >= 0.5) : share;
  });
}
