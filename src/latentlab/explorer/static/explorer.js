/*
 * latentlab's networks in a browser: decoders, generators, encoders and discriminators, from the description and the
 * weights that `latentlab.explorer.pack` writes (its docstring is the format). One module without imports.
 *
 *   const decoder = await open({description, weights});   // as `embed` writes them into a page
 *   decoder.image(z)                                      // RGBA bytes of the image of a standard normal z
 *
 * Every product of matrices goes through one kernel: WebAssembly SIMD, assembled below when the page opens, or the same
 * blocks in plain JavaScript where a browser or a page's content security policy forbids that.
 *
 * Letters: a product C = A B has P rows (places of an image, or 1), K summed terms and M columns (output channels times
 * kernel). A lies in blocks of `rows` rows, [P / rows][K][rows]; B in panels of 8 columns, [M / 8][K][8]; C row by row.
 */

const FORMAT = 1;
const PANEL = 8; // columns of B that the kernel takes at once: two vectors of four floats
const BLOCK = 4; // rows of A that it takes at once
const SLOPE = 0.2; // of leaky_relu

function refuse(what) {
  throw new Error(`latentlab explorer: ${what}`);
}

const size = (shape) => shape.reduce((product, axis) => product * axis, 1);

// ---------------------------------------------------------------------------------------------------- reading weights

/** The float of 16 bits (IEEE 754 binary16). */
function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const magnitude = exponent ? (1024 + fraction) * POWERS[exponent] : fraction * POWERS[1];
  return bits & 0x8000 ? -magnitude : magnitude;
}
const POWERS = Float64Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 25));

/** A tensor of the weights as a Float32Array of its own. */
function tensor(entry, weights) {
  const count = size(entry.shape);
  const width = { int8: 1, int16: 2, fp16: 2, fp32: 4 }[entry.type] || refuse(`unknown number type ${entry.type}`);
  const bytes = weights.slice(entry.at, entry.at + count * width); // a copy begins where every type may
  if (bytes.length !== count * width) refuse("the weights end before their last tensor: the page is not whole");
  if (entry.type === "fp32") return new Float32Array(bytes.buffer);
  if (entry.type === "fp16") return Float32Array.from(new Uint16Array(bytes.buffer), half);
  const scales = tensor(entry.scales, weights); // one for each output channel, the first axis
  const perChannel = count / entry.shape[0];
  const signed = new Int8Array(bytes.buffer);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const integer = width === 1 ? signed[i] : bytes[i] + 256 * signed[count + i];
    values[i] = integer * scales[Math.floor(i / perChannel)];
  }
  return values;
}

// ------------------------------------------------------------------------------------------------------------ kernels

/*
 * The product for WebAssembly, as bytes. A function of the module is
 *
 *   product(a, b, c, blocks, depth, panels)      pointers in bytes, 16-aligned
 *     for each panel of B:                       8 columns: stays in the fastest cache while every row passes
 *       for each block of A:                     `rows` rows, so 2 · rows sums of four columns live in registers
 *         for each of `depth` terms:             sum[row][half] += a[row] · b[half]
 *         store the sums into C
 */

const I32 = 0x7f; // types
const V128 = 0x7b;

/** An unsigned integer in LEB128: seven bits a byte, lowest first. */
const number = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...number(value >>> 7)]);
const vector = (items) => [...number(items.length), ...items.flat()];
const section = (id, content) => [id, ...number(content.length), ...content];
const text = (word) => vector([...word].map((letter) => letter.charCodeAt(0)));

const get = (local) => [0x20, ...number(local)]; // local.get
const set = (local) => [0x21, ...number(local)]; // local.set
const constant = (value) => [0x41, value]; // i32.const, below 64
const plus = [0x6a]; // i32.add
const times = [0x6c]; // i32.mul
const advance = (local, ...amount) => [...get(local), ...amount.flat(), ...plus, ...set(local)];
/** Do `body`, then again until `local` has counted down to 0: loop … local + (−1) local.tee br_if 0 end. */
const countdown = (local, ...body) => [
  0x03, 0x40, ...body.flat(),
  ...get(local), 0x41, 0x7f, ...plus, 0x22, ...number(local), 0x0d, 0, 0x0b,
];
const load = (pointer, offset) => [...get(pointer), 0xfd, 0x00, 4, ...number(offset)]; // v128.load
const splat = (pointer, offset) => [...get(pointer), 0xfd, 0x09, 2, ...number(offset)]; // v128.load32_splat: one float in all four lanes
const store = (pointer, offset, value) => [...get(pointer), ...value, 0xfd, 0x0b, 4, ...number(offset)]; // v128.store
const add4 = [0xfd, 0xe4, 0x01]; // f32x4.add
const multiply4 = [0xfd, 0xe6, 0x01]; // f32x4.mul
const zero4 = [0xfd, 0x0c, ...new Array(16).fill(0)]; // v128.const

/** The body of `product` for blocks of `rows` rows. */
function productBody(rows) {
  const [a, b, c, blocks, depth, panels] = [0, 1, 2, 3, 4, 5];
  const [row, column, out, block, term, stride] = [6, 7, 8, 9, 10, 11];
  const one = 12 + 2 * rows + 2; // a row's number, in four lanes
  const halves = [12 + 2 * rows, 13 + 2 * rows]; // eight columns of B
  const sums = Array.from({ length: rows }, (_, i) => [12 + 2 * i, 13 + 2 * i]);
  const multiplyRow = (pair, i) => [
    ...splat(row, 4 * i), ...set(one),
    ...pair.flatMap((sum, half) => [...get(sum), ...get(one), ...get(halves[half]), ...multiply4, ...add4, ...set(sum)]),
  ];
  const storeRow = (pair) => [...store(out, 0, get(pair[0])), ...store(out, 16, get(pair[1])), ...advance(out, get(stride))];
  const code = [
    ...get(panels), ...constant(4 * PANEL), ...times, ...set(stride),
    ...countdown(panels,
      [...get(a), ...set(row), ...get(c), ...set(out), ...get(blocks), ...set(block)],
      countdown(block,
        [...get(b), ...set(column), ...get(depth), ...set(term)],
        sums.flat().flatMap((sum) => [...zero4, ...set(sum)]),
        countdown(term,
          halves.flatMap((half, i) => [...load(column, 16 * i), ...set(half)]),
          sums.flatMap(multiplyRow),
          advance(row, constant(4 * rows)),
          advance(column, constant(4 * PANEL))),
        sums.flatMap(storeRow)),
      [...get(column), ...set(b)], // the next panel begins where this one ended
      advance(c, constant(4 * PANEL))),
    0x0b,
  ];
  const locals = vector([[...number(6), I32], [...number(2 * rows + 3), V128]]);
  return [...number(locals.length + code.length), ...locals, ...code];
}

/** The module: imports `page.memory`, exports `single` (blocks of one row) and `block` (of BLOCK rows). */
function assembled() {
  const types = vector([[0x60, ...vector([I32, I32, I32, I32, I32, I32].map((type) => [type])), 0]]);
  const imports = vector([[...text("page"), ...text("memory"), 0x02, 0x00, 1]]);
  const functions = vector([[0], [0]]);
  const exports_ = vector([[...text("single"), 0, 0], [...text("block"), 0, 1]]);
  const bodies = vector([productBody(1), productBody(BLOCK)]);
  const sections = [[1, types], [2, imports], [3, functions], [7, exports_], [10, bodies]];
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flatMap(([id, content]) => section(id, content))]);
}

let compiledKernel; // undefined: not tried yet; null: this page has none

/** The compiled module, or null where the browser has no SIMD or the page's policy forbids it. */
function webAssembly() {
  if (compiledKernel === undefined) {
    try {
      compiledKernel = new WebAssembly.Module(assembled());
    } catch {
      compiledKernel = null;
    }
  }
  return compiledKernel;
}

/** The same product in plain JavaScript; pointers count floats of `memory`. Two columns at a time keep the sums in registers. */
function multiply(memory, rows, a, b, c, blocks, depth, panels) {
  const stride = panels * PANEL;
  const block = rows === 1 ? singleRow : fourRows;
  for (let panel = 0; panel < panels; panel++, b += depth * PANEL, c += PANEL) {
    for (let i = 0; i < blocks; i++) block(memory, a + i * rows * depth, b, c + i * rows * stride, depth, stride);
  }
}

function singleRow(memory, a, b, c, depth) {
  for (let column = 0; column < PANEL; column += 4) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (let k = 0, w = b + column; k < depth; k++, w += PANEL) {
      const x = memory[a + k];
      s0 += x * memory[w];
      s1 += x * memory[w + 1];
      s2 += x * memory[w + 2];
      s3 += x * memory[w + 3];
    }
    memory[c + column] = s0;
    memory[c + column + 1] = s1;
    memory[c + column + 2] = s2;
    memory[c + column + 3] = s3;
  }
}

function fourRows(memory, a, b, c, depth, stride) {
  for (let column = 0; column < PANEL; column += 2) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0; // four rows of the first column
    let t0 = 0, t1 = 0, t2 = 0, t3 = 0; // and of the second
    for (let k = 0, x = a, w = b + column; k < depth; k++, x += BLOCK, w += PANEL) {
      const x0 = memory[x];
      const x1 = memory[x + 1];
      const x2 = memory[x + 2];
      const x3 = memory[x + 3];
      const w0 = memory[w];
      const w1 = memory[w + 1];
      s0 += x0 * w0;
      s1 += x1 * w0;
      s2 += x2 * w0;
      s3 += x3 * w0;
      t0 += x0 * w1;
      t1 += x1 * w1;
      t2 += x2 * w1;
      t3 += x3 * w1;
    }
    let to = c + column;
    memory[to] = s0;
    memory[to + 1] = t0;
    memory[(to += stride)] = s1;
    memory[to + 1] = t1;
    memory[(to += stride)] = s2;
    memory[to + 1] = t2;
    memory[(to += stride)] = s3;
    memory[to + 1] = t3;
  }
}

/** A kernel with `floats` floats of memory. `product` takes pointers in floats. */
function kernel(floats, { kernel: wanted } = {}) {
  const module = wanted === "js" ? null : webAssembly();
  if (!module) {
    if (wanted === "wasm") refuse("this page cannot use WebAssembly SIMD");
    const memory = new Float32Array(floats);
    return { name: "js", memory, product: (rows, ...rest) => multiply(memory, rows, ...rest) };
  }
  const pages = new WebAssembly.Memory({ initial: Math.ceil((4 * floats) / 65536) || 1 });
  const { single, block } = new WebAssembly.Instance(module, { page: { memory: pages } }).exports;
  return {
    name: "wasm",
    memory: new Float32Array(pages.buffer),
    product: (rows, a, b, c, blocks, depth, panels) => (rows === 1 ? single : block)(4 * a, 4 * b, 4 * c, blocks, depth, panels),
  };
}

// ------------------------------------------------------------------------------------------------------------- layers

/** B in panels from weights [outputs, inputs, taps]: row `input` (or input, tap), column `output` (or output, tap). */
function panelled(values, outputs, inputs, taps, spread) {
  const depth = spread ? inputs : inputs * taps;
  const columns = spread ? outputs * taps : outputs;
  const panels = Math.ceil(columns / PANEL);
  const packed = new Float32Array(panels * depth * PANEL);
  for (let output = 0, at = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let tap = 0; tap < taps; tap++, at++) {
        const row = spread ? input : input * taps + tap;
        const column = spread ? output * taps + tap : output;
        packed[(Math.floor(column / PANEL) * depth + row) * PANEL + (column % PANEL)] = values[at];
      }
    }
  }
  return { packed, depth, panels };
}

/** (inputs,) to (outputs,). */
function dense(layer, shape, weights) {
  const bias = tensor(layer.bias, weights);
  const out = new Float32Array(layer.outputs);
  return {
    shape: [layer.outputs],
    matrix: panelled(tensor(layer.weight, weights), layer.outputs, layer.inputs, 1, false),
    rows: 1,
    places: 1,
    run(x, memory, product) {
      memory.set(x, product.a);
      product.run();
      for (let i = 0; i < out.length; i++) out[i] = memory[product.c + i] + bias[i];
      return out;
    },
  };
}

/** (inputs, H, W) to (outputs, H', W') with H' = floor((H + 2 padding − kernel) / stride) + 1: patches times weights. */
function convolution(layer, [inputs, height, width], weights) {
  const { outputs, kernel: taps, stride, padding } = layer;
  const [rows, columns] = [height, width].map((side) => Math.floor((side + 2 * padding - taps) / stride) + 1);
  const places = rows * columns;
  const bias = tensor(layer.bias, weights);
  const out = new Float32Array(outputs * places);
  const matrix = panelled(tensor(layer.weight, weights), outputs, inputs, taps * taps, false);
  function patches(x, memory, a) {
    for (let place = 0; place < places; place++) {
      const top = Math.floor(place / columns) * stride - padding;
      const left = (place % columns) * stride - padding;
      let at = a + Math.floor(place / BLOCK) * matrix.depth * BLOCK + (place % BLOCK);
      for (let input = 0; input < inputs; input++) {
        for (let y = top; y < top + taps; y++) {
          for (let x_ = left; x_ < left + taps; x_++, at += BLOCK) {
            memory[at] = y >= 0 && y < height && x_ >= 0 && x_ < width ? x[(input * height + y) * width + x_] : 0;
          }
        }
      }
    }
  }
  return {
    shape: [outputs, rows, columns],
    matrix,
    rows: BLOCK,
    places,
    run(x, memory, product) {
      patches(x, memory, product.a);
      product.run();
      const across = matrix.panels * PANEL;
      for (let output = 0; output < outputs; output++) {
        for (let place = 0; place < places; place++) {
          out[output * places + place] = memory[product.c + place * across + output] + bias[output];
        }
      }
      return out;
    },
  };
}

/**
 * (inputs, H, W) to (outputs, H', W') with H' = (H − 1) stride − 2 padding + kernel + output_padding: each place's product
 * is added where it falls.
 */
function transposedConvolution(layer, [inputs, height, width], weights) {
  const { outputs, kernel: taps, stride, padding, output_padding: extra } = layer;
  const [tall, wide] = [height, width].map((side, axis) => (side - 1) * stride - 2 * padding + taps + extra[axis]);
  const places = height * width;
  const bias = tensor(layer.bias, weights);
  const out = new Float32Array(outputs * tall * wide);
  const matrix = panelled(tensor(layer.weight, weights), outputs, inputs, taps * taps, true);
  const across = matrix.panels * PANEL;
  function gather(x, memory, a) {
    for (let place = 0; place < places; place++) {
      let at = a + Math.floor(place / BLOCK) * inputs * BLOCK + (place % BLOCK);
      for (let input = 0; input < inputs; input++, at += BLOCK) memory[at] = x[input * places + place];
    }
  }
  function scatter(memory, c) {
    for (let output = 0; output < outputs; output++) {
      const plane = output * tall * wide;
      out.fill(bias[output], plane, plane + tall * wide);
      for (let y = 0; y < height; y++) {
        const top = y * stride - padding;
        const firstY = Math.max(0, -top);
        const lastY = Math.min(taps, tall - top);
        for (let x = 0; x < width; x++) {
          const left = x * stride - padding;
          const firstX = Math.max(0, -left);
          const lastX = Math.min(taps, wide - left);
          const from = c + (y * width + x) * across + output * taps * taps;
          for (let i = firstY; i < lastY; i++) {
            const to = plane + (top + i) * wide + left;
            for (let j = firstX; j < lastX; j++) out[to + j] += memory[from + i * taps + j];
          }
        }
      }
    }
  }
  return {
    shape: [outputs, tall, wide],
    matrix,
    rows: BLOCK,
    places,
    run(x, memory, product) {
      gather(x, memory, product.a);
      product.run();
      scatter(memory, product.c);
      return out;
    },
  };
}

/** Each channel times its weight plus its bias: what is left of a batch norm, or the range of a network's input. */
function scale(layer, shape, weights) {
  const [weight, bias] = [tensor(layer.weight, weights), tensor(layer.bias, weights)];
  const perChannel = size(shape) / shape[0];
  return {
    shape,
    run(x) {
      for (let i = 0; i < x.length; i++) {
        const channel = Math.floor(i / perChannel);
        x[i] = x[i] * weight[channel] + bias[channel];
      }
      return x;
    },
  };
}

/** The activations, in place. */
const ACTIVATIONS = {
  relu(x) {
    for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
    return x;
  },
  leaky_relu(x) {
    for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] *= SLOPE;
    return x;
  },
  elu(x) {
    for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = Math.exp(x[i]) - 1;
    return x;
  },
  tanh(x) {
    for (let i = 0; i < x.length; i++) x[i] = Math.tanh(x[i]);
    return x;
  },
};

/** What a layer of the description does to a shape and to numbers. */
function compiled(layer, shape, weights) {
  switch (layer.layer) {
    case "dense":
      return dense(layer, shape, weights);
    case "convolution":
      return convolution(layer, shape, weights);
    case "transposed_convolution":
      return transposedConvolution(layer, shape, weights);
    case "scale":
      return scale(layer, shape, weights);
    case "reshape":
      return { shape: layer.shape, run: (x) => x };
    case "flatten":
      return { shape: [size(shape)], run: (x) => x };
    case "activation":
      if (!(layer.name in ACTIVATIONS)) refuse(`unknown activation ${layer.name}`);
      return { shape, run: ACTIVATIONS[layer.name] };
    default:
      return refuse(`unknown layer ${layer.layer}`);
  }
}

// ------------------------------------------------------------------------------------------------------------ network

/**
 * A network that runs.
 *
 * `description` and `weights` (Uint8Array) are those of `pack_network`; `options.kernel` "js" leaves WebAssembly aside.
 * Returns
 *   inputs     how many numbers it takes: latentDim, or channels × height × width of an image in [0, 1]
 *   shape      of what it gives: [C, H, W], or [F] (a VAE's encoder: the Z means, then the Z log-variances)
 *   latentDim  Z, or null for an encoder or a discriminator
 *   run(x)     raw outputs (logits of an image), a Float32Array that the next call overwrites
 *   code(z)    a standard normal z as a code of the model's prior: an autoencoder's is the Gaussian fitted to its codes
 *   image(z, {code})  RGBA bytes [H × W × 4] of the image of a standard normal z, or with `code: true` of a code
 *   kernel     "wasm" or "js"
 * Throws an Error for another format, for unknown layers and for weights that are not whole.
 */
export function network(description, weights, options = {}) {
  if (description?.format !== FORMAT) refuse(`this page reads format ${FORMAT} of a network. Got ${description?.format}`);
  if (weights.length !== description.bytes) refuse(`the weights must have ${description.bytes} bytes. Got ${weights.length}`);
  const steps = [];
  let shape = description.input;
  for (const layer of description.layers) {
    steps.push(compiled(layer, shape, weights));
    shape = steps[steps.length - 1].shape;
  }
  const { memory, name } = place(steps, options);
  const input = new Float32Array(size(description.input));
  const checked = (x) => (x.length === input.length ? x : refuse(`an input must have ${input.length} numbers. Got ${x.length}`));
  const run = (x) => {
    input.set(checked(x));
    return steps.reduce((values, step) => step.run(values, memory, step.product), input);
  };
  const draws = ["decoder", "generator"].includes(description.network);
  const coded = prior(description, weights);
  const code = (z) => coded(checked(z));
  return {
    inputs: input.length,
    shape,
    latentDim: draws ? input.length : null,
    kernel: name,
    run,
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

// explorer/base85.py's alphabet: five characters are four bytes, and nothing in it needs to be escaped in a page.
const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%:()*+-;,=.?@^_`{|}~";

/** Text of base 85 as bytes; a last group of n + 1 characters is n bytes. */
function bytesOf85(text) {
  const values = new Int16Array(128).fill(-1);
  [...LETTERS].forEach((letter, value) => { values[letter.charCodeAt(0)] = value; });
  const groups = Math.ceil(text.length / 5);
  const view = new DataView(new ArrayBuffer(4 * groups));
  for (let group = 0; group < groups; group++) {
    let whole = 0;
    for (let at = 5 * group; at < 5 * group + 5; at++) {
      const value = at < text.length ? values[text.charCodeAt(at)] ?? -1 : 84;
      if (value < 0) refuse("the weights are not base 85: the page is not whole");
      whole = whole * 85 + value;
    }
    if (whole > 0xffffffff) refuse("the weights are not base 85: the page is not whole");
    view.setUint32(4 * group, whole);
  }
  return new Uint8Array(view.buffer, 0, text.length - groups);
}

/** The network that `embed` wrote into a page: {description, weights: raw deflate as base 85}. */
export async function open({ description, weights }, options = {}) {
  const bytes = bytesOf85(weights);
  let stream;
  try {
    stream = new DecompressionStream("deflate-raw");
  } catch {
    refuse("this browser cannot unpack the weights: it needs DecompressionStream (Chrome 103, Firefox 113, Safari 16.4 or later)");
  }
  let whole;
  try {
    whole = await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer();
  } catch {
    refuse("the weights cannot be unpacked: the page is not whole");
  }
  return network(description, new Uint8Array(whole), options);
}
