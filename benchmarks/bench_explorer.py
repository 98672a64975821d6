"""How long the browser's decoders take for one image: `explorer.js` in chromium, each kernel, against plain nested loops.

| network | target |
|---|---|
| the lab's decoder (`conv-vae`), 28 x 28 | 3 ms an image: four of them follow the pointer at 60 frames a second |
| `art-gan`, 64 x 64 in colour | 100 ms: 10 frames a second |

The weights are drawn, not trained: the time does not depend on them. "loops" is what one would write first, the layer's
definition in seven nested loops over arrays of floats; its logits are checked against the kernels'.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import report
from playwright.sync_api import sync_playwright

from latentlab.config.layers import parameter_count
from latentlab.config.networks import fit_model, networks
from latentlab.config.presets import preset
from latentlab.models.nets import Decoder
from latentlab.show.explorer import Packed, embed, module, pack
from latentlab.show.explorer.network import folded

NETWORKS = (("conv-vae", (28, 28, 1), 3.0), ("conv-gan", (28, 28, 1), None), ("art-gan", (64, 64, 3), 100.0))

LOOPS = """
function loops({layers}, tensor, x) {
  let shape = [x.length];
  for (const l of layers) {
    if (l.layer === "reshape") shape = l.shape;
    if (l.layer === "activation") x = x.map((v) => (l.name === "relu" ? Math.max(v, 0) : v > 0 ? v : Math.exp(v) - 1));
    if (l.layer === "dense") {
      const w = tensor(l.weight), b = tensor(l.bias);
      const y = new Float32Array(l.outputs);
      for (let o = 0; o < l.outputs; o++) {
        y[o] = b[o];
        for (let i = 0; i < l.inputs; i++) y[o] += w[o * l.inputs + i] * x[i];
      }
      x = y;
    }
    if (l.layer === "transposed_convolution") {
      const w = tensor(l.weight), b = tensor(l.bias), k = l.kernel, s = l.stride, p = l.padding;
      const c = shape[0], h = shape[1], v = shape[2];
      const H = (h - 1) * s - 2 * p + k + l.output_padding[0], V = (v - 1) * s - 2 * p + k + l.output_padding[1];
      const y = new Float32Array(l.outputs * H * V);
      for (let o = 0; o < l.outputs; o++) {
        for (let at = 0; at < H * V; at++) y[o * H * V + at] = b[o];
        for (let i = 0; i < c; i++) {
          for (let r = 0; r < h; r++) {
            for (let q = 0; q < v; q++) {
              for (let d = 0; d < k; d++) {
                for (let e = 0; e < k; e++) {
                  const R = r * s - p + d, Q = q * s - p + e;
                  if (R < 0 || R >= H || Q < 0 || Q >= V) continue;
                  y[(o * H + R) * V + Q] += w[((o * c + i) * k + d) * k + e] * x[(i * h + r) * v + q];
                }
              }
            }
          }
        }
      }
      x = y;
      shape = [l.outputs, H, V];
    }
  }
  return x;
}
window.measure = async ({embedded, raw, z, repeats}) => {
  const bytes = Uint8Array.from(atob(raw), (c) => c.charCodeAt(0));
  const kept = new Map();
  const tensor = (t) => {
    if (!kept.has(t.at)) kept.set(t.at, new Float32Array(bytes.buffer, t.at, t.shape.reduce((p, a) => p * a, 1)));
    return kept.get(t.at);
  };
  const rows = {};
  for (const kernel of ["wasm", "js"]) {
    const net = await open(embedded, {kernel});
    rows[kernel] = () => net.run(z);
  }
  rows.loops = () => loops(embedded.description, tensor, Float32Array.from(z));
  const wanted = rows.loops();
  const found = {};
  for (const [name, run] of Object.entries(rows)) {
    const off = run().reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0);
    if (!(off < 1e-3)) throw new Error(`${name} is off by ${off}`);
    for (let i = 0; i < 3; i++) run();
    const times = Array.from({length: name === "loops" ? Math.min(repeats, 5) : repeats}, () => {
      const start = performance.now();
      run();
      return performance.now() - start;
    });
    found[name] = times.sort((a, b) => a - b)[times.length >> 1];
  }
  return found;
};
"""


def drawn(name: str, shape: tuple[int, int, int]) -> Packed:
    """A preset's decoder or generator with its first weights, as fp32."""
    model = fit_model(preset(name).model, shape)
    part, layers = next((part, layers) for part, layers in networks(model, shape).items() if part in ("decoder", "generator"))
    torch.manual_seed(0)
    tensors = {key: value.numpy() for key, value in Decoder(layers).state_dict().items()}
    height, width, channels = shape
    head = {"network": part, "parameters": parameter_count(layers), "input": [model.latent_dim], "output": [channels, height, width]}
    return pack(head, folded(layers, tensors.__getitem__), {}, "fp32")


def measured(page: Any, packed: Packed, repeats: int) -> dict[str, float]:
    """Median milliseconds of an image by each way."""
    z = np.random.default_rng(0).standard_normal(packed.description["input"][0]).tolist()
    argument = {"embedded": embed(packed), "raw": base64.b64encode(packed.weights).decode(), "z": z, "repeats": repeats}
    return dict(page.evaluate("measure", argument))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    script = module()
    with sync_playwright() as started, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(f'<!doctype html><meta charset="utf-8"><script type="module">{script}\n{LOOPS}</script>', encoding="utf-8")
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(path.as_uri())
        page.wait_for_function("window.measure !== undefined")
        for name, shape, target in NETWORKS:
            times = measured(page, drawn(name, shape), options.repeats)
            what = f"explorer.js, {name}, {shape[0]} x {shape[1]}"
            report(f"{what}, milliseconds an image", {"wasm": times["wasm"]}, "ms", f"≤ {target:g}" if target else "", at_most=target)
            report(f"{what}, without WebAssembly", {"blocks": times["js"], "nested loops": times["loops"]}, "ms")
            report(f"{what}, against nested loops", times["loops"] / times["wasm"], "times as fast")
        browser.close()


if __name__ == "__main__":
    main()
