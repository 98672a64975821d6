
// The networks of a run as blocks that hold what each layer makes of one image, anew with the networks that the run lends.
const GAP = 2; // pixels between the images of a kept grid
const MOST = 4; // maps of a layer
const AFTER = ["activation", "scale"]; // belong to the layer before them

/** The image [C, H, W] in [0, 1] that stands first in a grid. */
async function firstOf(source, [channels, height, width]) {
  const grid = Object.assign(new Image(), { src: source });
  await grid.decode();
  const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  pen.drawImage(grid, GAP, GAP, width, height, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const places = height * width;
  return Float32Array.from({ length: channels * places }, (_, k) => data[4 * (k % places) + Math.floor(k / places)] / 255);
}

/** From `start` on the last of the layers that a block stands for: the first of its shape with what belongs to that; -1 for none. */
function layerOf(layers, shape, start) {
  const alike = (k) => String(layers[k]?.shape) === shape;
  let at = start;
  while (at < layers.length && !alike(at)) at += 1;
  if (layers[at]?.layer === "skip") while (layers[at].layer !== "add") at += 1; // a residual block
  while (!layers[at]?.image && alike(at + 1) && AFTER.includes(layers[at + 1].layer)) at += 1;
  return at < layers.length ? at : -1;
}

/** Numbers as greys, black where least: maps [C, H, W] two a row, an image as it is, others [F] below each other. */
function paint(canvas, { shape, values, image }) {
  const [channels, height, width] = shape.length === 3 ? shape : [1, shape[0], 1];
  const maps = image ? 1 : Math.min(MOST, channels);
  const across = maps > 1 ? 2 : 1;
  const shown = values.subarray(0, maps * height * width);
  const [low, high] = image ? [0, 1] : ["min", "max"].map((end) => shown.reduce((a, b) => Math[end](a, b)));
  Object.assign(canvas, { width: across * width, height: Math.ceil(maps / across) * height });
  for (let map = 0; map < maps; map++) {
    const bytes = new Uint8ClampedArray(4 * height * width).fill(255);
    for (let k = 0; k < 4 * height * width; k++) {
      const channel = image && channels === 3 ? k % 4 : map;
      if (k % 4 < 3) bytes[k] = (255 * (values[channel * height * width + (k >> 2)] - low)) / (high - low || 1);
    }
    canvas.getContext("2d").putImageData(new ImageData(bytes, width, height), (map % across) * width, Math.floor(map / across) * height);
  }
}

class Filled {
  constructor(place, data) {
    [this.body, this.note] = ["div", "p"].map((name) => place.appendChild(document.createElement(name)));
    this.note.className = "latentlab-said";
    this.show(data);
    this.source = follow(() => (this.body.checkVisibility() ? this.data.address : null), (told) => (this.take(told), told.seconds));
  }

  destroy() {
    this.source.end();
  }

  show(data) {
    const other = data.html !== this.data?.html;
    this.data = data;
    if (!other) return;
    this.body.innerHTML = data.html;
    if (this.told) this.take(this.told);
  }

  /** Send the image through the networks that were told: through an encoder and its decoder, or a generator and its discriminator. */
  async take(told) {
    this.told = told;
    const [{ network: drawing, encoder, discriminator }] = told.content.models;
    const [draws, reads] = await Promise.all([drawing, encoder ?? discriminator].map((packed) => packed?.description && open(packed)));
    if (!draws) return;
    const through = (net, x, shape) => [{ shape, values: x, image: shape.length === 3 }, ...net.layers(x)];
    const given = encoder && reads ? await firstOf(this.data.image, encoder.description.input).catch(() => null) : null;
    const coded = given && through(reads, given, encoder.description.input);
    const made = through(draws, given ? coded.at(-1).values.subarray(0, draws.inputs) : Float32Array.from(this.data.z), [draws.inputs]);
    made.push({ shape: draws.shape, values: made.at(-1).values.map((logit) => 1 / (1 + Math.exp(-logit))), image: true, layer: "activation" });
    const judged = discriminator && reads ? through(reads, made.at(-1).values, draws.shape) : null;
    const all = { encoder: coded, decoder: made, generator: made, discriminator: judged };
    for (const figure of this.body.querySelectorAll("figure")) this.fill(figure, all[figure.dataset.network] ?? []);
    this.note.textContent = this.data.words.replace("{step}", told.step);
  }

  fill(figure, layers) {
    let at = -1;
    for (const block of figure.querySelectorAll("[data-shape]")) {
      const found = layerOf(layers, block.dataset.shape, at + 1);
      if (found < 0) continue;
      at = found;
      if (layers[at].shape.length === 3) block.style.width = block.style.height;
      if (!block.firstChild) block.append(document.createElement("canvas"));
      paint(block.firstChild, layers[at]);
    }
  }
}

export default component("chart", (place, data) => new Filled(place, data));
