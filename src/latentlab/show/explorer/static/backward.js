// Gradients: from that with respect to what a network gives back to that with respect to what it took. Letters as in kernel.js.
import { PANEL } from "./kernel.js";
import { refuse } from "./weights.js";

/** dA = dC Bᵀ of a step's product: [P × columns] to [P × K]. B is read where `place` put it. */
function product({ b, matrix: { depth } }, memory, rows, columns) {
  const places = rows.length / columns;
  const out = new Float32Array(places * depth);
  for (let first = 0; first < columns; first += PANEL) {
    const wide = Math.min(PANEL, columns - first);
    for (let k = 0; k < depth; k++) {
      const from = b + ((first / PANEL) * depth + k) * PANEL;
      for (let place = 0; place < places; place++) {
        let sum = 0;
        for (let j = 0; j < wide; j++) sum += rows[place * columns + first + j] * memory[from + j];
        out[place * depth + k] += sum;
      }
    }
  }
  return out;
}

/** Call `visit(place, pixel, tap)` for every tap of a convolution, at every place, that falls on a pixel of [H, W]. */
function everyTap({ kernel: taps, stride, padding }, [, rows, columns], [, height, width], visit) {
  for (let place = 0; place < rows * columns; place++) {
    const top = Math.floor(place / columns) * stride - padding;
    const left = (place % columns) * stride - padding;
    for (let i = Math.max(0, -top); i < Math.min(taps, height - top); i++) {
      for (let j = Math.max(0, -left); j < Math.min(taps, width - left); j++) visit(place, (top + i) * width + left + j, i * taps + j);
    }
  }
}

/** [C × P] to [P × C]. */
function turned(values, places) {
  const across = values.length / places;
  return values.map((_, at) => values[(at % across) * places + Math.floor(at / across)]);
}

const BACK = {
  dense: (g, { step, memory }) => product(step, memory, g, g.length),
  convolution(g, { layer, step, memory, before }) {
    const [inputs, height, width] = before;
    const square = layer.kernel ** 2;
    const patches = product(step, memory, turned(g, step.places), layer.outputs);
    const out = new Float32Array(inputs * height * width);
    everyTap(layer, step.shape, before, (place, pixel, tap) => {
      for (let input = 0; input < inputs; input++) {
        out[input * height * width + pixel] += patches[(place * inputs + input) * square + tap];
      }
    });
    return out;
  },
  transposed_convolution(g, { layer, step, memory, before }) {
    const square = layer.kernel ** 2;
    const pixels = step.shape[1] * step.shape[2];
    const rows = new Float32Array(step.places * layer.outputs * square);
    everyTap(layer, before, step.shape, (place, pixel, tap) => {
      for (let output = 0; output < layer.outputs; output++) {
        rows[(place * layer.outputs + output) * square + tap] = g[output * pixels + pixel];
      }
    });
    return turned(product(step, memory, rows, layer.outputs * square), before[0]);
  },
  scale: (g, { step: { factor } }) => g.map((value, i) => value * factor[Math.floor((i * factor.length) / g.length)]),
  reshape: (g) => g,
  flatten: (g) => g,
  activation: (g, { layer, after }) => g.map((value, i) => value * SLOPES[layer.name](after[i])),
};

/** The slope of an activation where it gave y. */
const SLOPES = {
  relu: (y) => Number(y > 0),
  leaky_relu: (y) => (y > 0 ? 1 : 0.2),
  elu: (y) => (y > 0 ? 1 : y + 1),
  tanh: (y) => 1 - y ** 2,
};

/**
 * The gradient with respect to a network's input, of which `slope` is that with respect to its output; `seen` is what each step gave.
 * Throws an Error for a layer that has none here.
 */
export function backward({ layers, input }, steps, seen, memory, slope) {
  let g = Float32Array.from(slope);
  const kept = [];
  for (let k = layers.length - 1; k >= 0; k--) {
    const layer = layers[k];
    if (layer.layer === "add") kept.push(g);
    else if (layer.layer === "skip") {
      const around = kept.pop();
      g = g.map((value, i) => value + around[i]);
    } else {
      const back = BACK[layer.layer] || refuse(`the layer ${layer.layer} has no gradient here`);
      g = back(g, { layer, step: steps[k], memory, before: k ? steps[k - 1].shape : input, after: seen[k].values });
    }
  }
  return g;
}
