/*
 * latentlab's networks in a browser: decoders, generators, encoders and discriminators, from the description and the
 * weights that `latentlab.show.explorer` writes (its docstring is the format).
 *
 *   const decoder = await open({description, weights});   // as `embed` writes them into a page
 *   decoder.image(z)                                      // RGBA bytes of the image of a standard normal z
 */
import { backward } from "./backward.js";
import { kernel, PANEL } from "./kernel.js";
import { compiled } from "./layers.js";
import { inflated, refuse, size, tensor } from "./weights.js";

const FORMAT = 1;

/**
 * A network that runs.
 *
 * `description` and `weights` (Uint8Array) are those of `pack_network`; `options.kernel` "js" leaves WebAssembly aside.
 * Returns
 *   inputs     how many numbers it takes: latentDim, or channels × height × width of an image in [0, 1]
 *   shape      of what it gives: [C, H, W], or [F] (a VAE's encoder: the Z means, then the Z log-variances)
 *   latentDim  Z, or null for an encoder or a discriminator
 *   run(x)     raw outputs (logits of an image), a Float32Array that the next call overwrites
 *   layers(x)  what each layer gives on the way: [{layer, shape, values}] in the order of the description, copies
 *   gradient(x, slope)  ∂L/∂x of any L whose ∂L/∂(outputs) is `slope`: a Float32Array as long as x
 *   code(z)    a standard normal z as a code of the model's prior: an autoencoder's is the Gaussian fitted to its codes
 *   image(z, {code})  RGBA bytes [H × W × 4] of the image of a standard normal z, or with `code: true` of a code
 *   kernel     "wasm" or "js"
 *   classes    the names of the classes that it draws or reads, or null; choose(label) takes one, the first at the start
 * Throws an Error for another format, for unknown layers and for weights that are not whole.
 */
export function network(description, weights, options = {}) {
  if (description?.format !== FORMAT) refuse(`this page reads format ${FORMAT} of a network. Got ${description?.format}`);
  if (weights.length !== description.bytes) refuse(`the weights must have ${description.bytes} bytes. Got ${weights.length}`);
  const steps = [];
  const skipped = [];
  let shape = description.input;
  for (const layer of description.layers) {
    steps.push(compiled(layer, shape, weights, skipped));
    shape = steps[steps.length - 1].shape;
  }
  const { memory, name } = place(steps, options);
  const input = new Float32Array(size(description.input));
  const checked = (x) => (x.length === input.length ? x : refuse(`an input must have ${input.length} numbers. Got ${x.length}`));
  const run = (x) => {
    input.set(checked(x));
    return steps.reduce((values, step) => step.run(values, memory, step.product), input);
  };
  const layers = (x) => {
    input.set(checked(x));
    let values = input;
    return steps.map((step, k) => {
      values = step.run(values, memory, step.product);
      return { layer: description.layers[k].layer, shape: step.shape, values: values.slice() };
    });
  };
  const draws = ["decoder", "generator"].includes(description.network);
  const coded = prior(description, weights);
  const code = (z) => coded(checked(z));
  return {
    inputs: input.length,
    shape,
    latentDim: draws ? input.length : null,
    kernel: name,
    classes: description.classes || null,
    choose: (label) => steps.find((step) => step.choose).choose(label),
    run,
    layers,
    gradient: (x, slope) => backward(description, steps, layers(x), memory, slope),
    code,
    image(z, { code: isCode = false } = {}) {
      if (!draws) refuse(`the ${description.network} draws no image`);
      return rgba(run(isCode ? z : code(z)), shape);
    },
  };
}

/** Give every step that multiplies its place in the kernel's memory, from multiples of 16 bytes: each its own B, all the same A and C. */
function place(steps, options) {
  const multiplying = steps.filter((step) => step.matrix);
  const padded = (step) => Math.ceil(step.places / step.rows) * step.rows;
  const a = 0;
  const c = 4 * Math.ceil(Math.max(0, ...multiplying.map((step) => padded(step) * step.matrix.depth)) / 4);
  let end = c + Math.max(0, ...multiplying.map((step) => padded(step) * step.matrix.panels * PANEL));
  for (const step of multiplying) {
    step.b = end;
    end += step.matrix.packed.length;
  }
  const found = kernel(end, options);
  for (const step of multiplying) {
    const { depth, panels, packed } = step.matrix;
    found.memory.set(packed, step.b);
    step.matrix.packed = null;
    step.product = { a, c, run: () => found.product(step.rows, a, step.b, c, padded(step) / step.rows, depth, panels) };
  }
  return found;
}

/** The function from a standard normal z to a code: mean + z scale for an autoencoder, else z itself. */
function prior(description, weights) {
  if (!description.prior) return (z) => Float32Array.from(z);
  const [mean, matrix] = [tensor(description.prior.mean, weights), tensor(description.prior.scale, weights)];
  return (z) => mean.map((start, to) => mean.reduce((sum, _, from) => sum + z[from] * matrix[from * mean.length + to], start));
}

/** Logits [C, H, W] as RGBA bytes, rounded as `to_bytes` does: a clamped array rounds half to even. */
function rgba(logits, [channels, height, width]) {
  const places = height * width;
  const bytes = new Uint8ClampedArray(4 * places).fill(255);
  for (let place = 0; place < places; place++) {
    for (let channel = 0; channel < 3; channel++) {
      bytes[4 * place + channel] = 255 / (1 + Math.exp(-logits[(channels === 3 ? channel * places : 0) + place]));
    }
  }
  return bytes;
}

/** The network that `embed` wrote into a page: {description, weights: raw deflate as base 85}. */
export async function open({ description, weights }, options = {}) {
  return network(description, await inflated(weights), options);
}
