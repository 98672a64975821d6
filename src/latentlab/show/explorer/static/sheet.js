/*
 * A drawing, and what a network is given of it: an image of H × W pixels in [0, 1].
 *
 *   drawing  {strokes, image, fit}, as JSON holds it. A stroke is {colour: "#rrggbb", points: [x, y, x, y, …]} in shares of the
 *            field's width and height, or {colour, fill: true}; `image` the row of a held-out image below the strokes, or null;
 *            `fit` whether it is brought to where the data's images have theirs
 *   habit    {side, centre, pen} of the data's images, in pixels: see habitOf
 *
 * MNIST's digits were brought to 20 pixels on their longer side and laid with their centre of mass on the middle of 28 × 28
 * (LeCun, Cortes & Burges 1998). Other sets have other habits, so that they are measured.
 */
import { drawOriginal } from "./scene.js";

const FINE = 168; // pixels along the longer side of the sheet that is then brought down to the field, about
const INK = 0.5; // from this brightness on a pixel belongs to the strokes
const MEASURED = 200; // images whose habits are measured
const GREYS = [0.299, 0.587, 0.114]; // of red, green and blue
const LARGEST = 5; // times, that a drawing is enlarged

/** [left, right, top, bottom] of what is bright in values [H × W]; null where nothing is. */
export function boundsOf(values, width) {
  let [left, right, top, bottom] = [Infinity, -1, Infinity, -1];
  values.forEach((value, place) => {
    if (value < INK) return;
    const [x, y] = [place % width, Math.floor(place / width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x + 1), Math.min(top, y), Math.max(bottom, y + 1)];
  });
  return right < 0 ? null : [left, right, top, bottom];
}

/** The centre of mass [x, y] of values [H × W]; pixel 0 lies from 0 to 1. */
export function massCentre(values, width) {
  let [mass, across, down] = [0, 0, 0];
  values.forEach((value, place) => {
    mass += value;
    across += value * ((place % width) + 0.5);
    down += value * (Math.floor(place / width) + 0.5);
  });
  return [across / mass, down / mass];
}

/** How wide strokes are: area over half the outline, 2 Σ v / Σ |∇v|. A stroke of length L and width w has area L w, outline 2 L. */
export function strokeWidth(values, width) {
  let [area, outline] = [0, 0];
  values.forEach((value, place) => {
    area += value;
    if (place % width === width - 1 || place + width >= values.length) return;
    outline += Math.hypot(values[place + 1] - value, values[place + width] - value);
  });
  return (2 * area) / outline;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** What is usual among images of strokes [[H × W], …]: the longer side of what is bright, the centre of mass, the pen's width. */
export function habitOf(images, [height, width]) {
  const least = Math.min(height, width);
  const usual = { side: (20 / 28) * least, centre: [width / 2, height / 2], pen: (2.4 / 28) * least };
  const boxes = images.map((values) => boundsOf(values, width));
  const drawn = images.filter((_, k) => boxes[k]);
  if (!drawn.length) return usual;
  const centres = drawn.map((values) => massCentre(values, width));
  const pen = median(drawn.map((values) => strokeWidth(values, width)));
  return {
    side: median(boxes.filter(Boolean).map(([left, right, top, bottom]) => Math.max(right - left, bottom - top))),
    centre: [0, 1].map((axis) => median(centres.map((centre) => centre[axis]))),
    pen: Math.max((1.5 / 28) * least, Math.min((4.5 / 28) * least, pen)), // images of filled shapes have no pen
  };
}

/** A sheet that drawings of a content are rendered on, for all encoders that take its shape [H, W, C]. */
export class Sheet {
  constructor(scene, shape) {
    Object.assign(this, { scene, shape });
    const [height, width] = shape;
    this.fine = Math.max(1, Math.round(FINE / Math.max(height, width)));
    this.canvas = Object.assign(document.createElement("canvas"), { width: this.fine * width, height: this.fine * height });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.habit = habitOf(this.examples(), shape);
  }

  /** Grey held-out images of classes, [H × W] each, whose habits tell how people drew them. */
  examples() {
    const { scene, shape } = this;
    if (!scene.sheet || !scene.labels || shape[2] !== 1) return [];
    return Array.from({ length: Math.min(MEASURED, scene.count) }, (_, row) => this.pixels({ strokes: [], image: row, fit: false }));
  }

  /** What a network is given: Float32Array [C × H × W] in [0, 1], each pixel the mean of the sheet's below it. */
  pixels(drawing) {
    if (!drawing.fit) this.render(drawing, { zoom: this.fine });
    else this.render(drawing, { zoom: this.fine, ...this.placed(drawing) });
    const [height, width, channels] = this.shape;
    const { data } = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    const out = new Float32Array(channels * height * width);
    const share = 1 / (255 * this.fine ** 2);
    for (let y = 0, at = 0; y < this.canvas.height; y++) {
      const row = Math.floor(y / this.fine) * width;
      for (let x = 0; x < this.canvas.width; x++, at += 4) {
        const place = row + Math.floor(x / this.fine);
        for (let channel = 0; channel < channels; channel++) out[channel * height * width + place] += share * data[at + channel];
      }
    }
    return out;
  }

  /** Where `fit` puts a drawing: {scale, shift}, which bring its place p to scale · p + shift. */
  placed(drawing) {
    const { habit } = this;
    this.render(drawing, { zoom: this.fine });
    const box = boundsOf(this.brightness(), this.canvas.width)?.map((value) => value / this.fine);
    if (!box) return {};
    const side = Math.max(box[1] - box[0], box[3] - box[2]);
    const pen = drawing.image === null ? habit.pen : 0; // a stroke is as wide after scaling as before, an image is not
    const scale = side - pen > 0.5 ? Math.min(LARGEST, Math.max(0, habit.side - pen) / (side - pen)) : 1;
    const middle = [(box[0] + box[1]) / 2, (box[2] + box[3]) / 2];
    const [height, width] = this.shape;
    const there = middle.map((value, axis) => [width, height][axis] / 2 - scale * value); // its box in the middle of the field
    this.render(drawing, { zoom: this.fine, scale, shift: there });
    const centre = massCentre(this.brightness(), this.canvas.width);
    const shift = there.map((value, axis) => {
      const wanted = value + habit.centre[axis] - centre[axis] / this.fine;
      const first = pen / 2 - scale * (box[2 * axis] + pen / 2); // so far that nothing is cut off
      const last = [width, height][axis] - pen / 2 - scale * (box[2 * axis + 1] - pen / 2);
      return first < last ? Math.max(first, Math.min(last, wanted)) : value;
    });
    return { scale, shift };
  }

  /** How bright the sheet's pixels are, in [0, 1]. */
  brightness() {
    const { data } = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    const out = new Float32Array(data.length / 4);
    const [red, green, blue] = this.shape[2] === 3 ? GREYS : [1, 0, 0];
    for (let place = 0, at = 0; place < out.length; place++, at += 4) {
      out[place] = (red * data[at] + green * data[at + 1] + blue * data[at + 2]) / 255;
    }
    return out;
  }

  /** Draw on a context, `zoom` of its pixels for one of the field's; the pen is as wide at every `scale`. */
  render(drawing, { context = this.context, zoom, scale = 1, shift = [0, 0] }) {
    const [height, width] = this.shape;
    const all = (colour) => {
      context.setTransform(zoom, 0, 0, zoom, 0, 0);
      context.fillStyle = colour;
      context.fillRect(0, 0, width, height);
      context.setTransform(zoom * scale, 0, 0, zoom * scale, zoom * shift[0], zoom * shift[1]);
    };
    all("#000");
    context.imageSmoothingEnabled = scale !== 1;
    if (drawing.image !== null) drawOriginal(context, this.scene, drawing.image);
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = this.habit ? this.habit.pen / scale : 1;
    for (const { colour, points, fill } of drawing.strokes) {
      if (fill) all(colour);
      else {
        context.strokeStyle = colour;
        context.beginPath();
        context.moveTo(points[0] * width + 1e-3, points[1] * height); // a line of no length would not be drawn
        for (let at = 0; at < points.length; at += 2) context.lineTo(points[at] * width, points[at + 1] * height);
        context.stroke();
      }
    }
  }
}
