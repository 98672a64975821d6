/*
 * The one product of matrices behind every layer: WebAssembly SIMD, assembled here when the page opens, or the same blocks in
 * plain JavaScript where a browser or a page's content security policy forbids that.
 *
 * Letters: a product C = A B has P rows (places of an image, or 1), K summed terms and M columns (output channels times
 * kernel). A lies in blocks of `rows` rows, [P / rows][K][rows]; B in panels of 8 columns, [M / 8][K][8]; C row by row.
 */
import { refuse } from "./weights.js";

export const PANEL = 8; // columns of B that the kernel takes at once: two vectors of four floats
export const BLOCK = 4; // rows of A that it takes at once

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
export function kernel(floats, { kernel: wanted } = {}) {
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
