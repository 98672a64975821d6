// What each layer of a description does to a shape and to numbers. Letters as in kernel.js.
import { BLOCK, PANEL } from "./kernel.js";
import { refuse, size, tensor } from "./weights.js";

const SLOPE = 0.2; // of leaky_relu

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
  const first = tensor(layer.bias, weights);
  const classes = layer.classes ? tensor(layer.classes, weights) : null; // [K, outputs]
  let bias = first;
  const out = new Float32Array(layer.outputs);
  return {
    choose:
      classes &&
      ((label) => {
        bias = first.map((value, i) => value + classes[label * layer.outputs + i]);
      }),
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
    factor: weight,
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

const logit = (share) => Math.log(share / (1 - share));

/** From what a likelihood is given at each pixel to the logits of its mean. */
const MEANS = {
  "continuous-bernoulli": (shape) => ({
    shape,
    run(x) {
      for (let i = 0; i < x.length; i++) {
        const far = Math.abs(x[i]) > 0.5;
        x[i] = far ? Math.log((1 / -Math.expm1(-x[i]) - 1 / x[i]) / (1 / x[i] - 1 / Math.expm1(x[i]))) : x[i] / 3 - x[i] ** 3 / 405;
      }
      return x;
    },
  }),
  "logistic-mixture"([outputs, height, width], mixed) {
    const places = height * width;
    const channels = (outputs / mixed - 1) / 2;
    const out = new Float32Array(channels * places);
    function run(x) {
      for (let place = 0; place < places; place++) {
        const weights = Array.from({ length: mixed }, (_, k) => x[k * places + place]);
        const largest = Math.max(...weights);
        const shares = weights.map((weight) => Math.exp(weight - largest));
        const total = shares.reduce((sum, share) => sum + share);
        for (let channel = 0; channel < channels; channel++) {
          const located = shares.map((share, k) => share / (1 + Math.exp(-x[(mixed + k * channels + channel) * places + place])));
          const mean = located.reduce((sum, each) => sum + each) / total;
          out[channel * places + place] = logit(Math.min(1 - 1e-6, Math.max(1e-6, mean)));
        }
      }
      return out;
    }
    return { shape: [channels, height, width], run };
  },
};

/** What a layer of the description does to a shape and to numbers; `skipped` are the residual blocks that are open. */
export function compiled(layer, shape, weights, skipped) {
  switch (layer.layer) {
    case "skip": {
      const kept = new Float32Array(size(shape)); // a copy: activations work in place
      skipped.push(kept);
      return { shape, run: (x) => (kept.set(x), x) };
    }
    case "add": {
      const kept = skipped.pop() || refuse("a residual block ends that has not begun");
      return {
        shape,
        run(x) {
          for (let i = 0; i < x.length; i++) x[i] += kept[i];
          return x;
        },
      };
    }
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
    case "mean":
      if (!(layer.of in MEANS)) refuse(`unknown mean ${layer.of}`);
      return MEANS[layer.of](shape, layer.mixed);
    default:
      return refuse(`unknown layer ${layer.layer}`);
  }
}
