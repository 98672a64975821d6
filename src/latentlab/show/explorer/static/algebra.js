// Vectors of Z numbers: sums, walks, draws, and the way back from an autoencoder's code.

export const inner = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);
export const norm = (a) => Math.sqrt(inner(a, a));

/** Σ weight · vector of weight, vector, weight, vector … */
export function mixed(...terms) {
  const out = new Float64Array(terms[1].length);
  for (let at = 0; at < terms.length; at += 2) for (let k = 0; k < out.length; k++) out[k] += terms[at] * terms[at + 1][k];
  return out;
}

export const straight = (a, b, t) => mixed(1 - t, a, t, b);

/** The place t on the great circle from a to b (White 2016), as sampling.py walks between draws. */
export function curved(a, b, t) {
  const lengths = norm(a) * norm(b);
  const angle = lengths ? Math.acos(Math.max(-1, Math.min(1, inner(a, b) / lengths))) : 0;
  if (Math.sin(angle) < 1e-4) return straight(a, b, t);
  return mixed(Math.sin((1 - t) * angle) / Math.sin(angle), a, Math.sin(t * angle) / Math.sin(angle), b);
}

/** Draw number `seed` from N(0, I): the same numbers every time (mulberry32, then Box and Muller 1958). */
export function normalDraw(seed, count) {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float64Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

/** The direction of one latent unit. */
export const singleUnit = (unit, units) => Float64Array.from({ length: units }, (_, k) => Number(k === unit));

/** Two orthonormal directions of Z: the same two every time; with Z = 1 the second is zero. */
export function randomAxes(units) {
  if (units <= 2) return [0, 1].map((axis) => singleUnit(axis, units));
  const first = normalDraw(-1, units);
  const across = mixed(1 / norm(first), first);
  const second = normalDraw(-2, units);
  const up = mixed(1, second, -inner(second, across), across);
  return [across, mixed(1 / norm(up), up)];
}

/** x of A x = b for a symmetric positive definite A, rows of numbers (Gauss). */
function solved(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  const count = rows.length;
  for (let pivot = 0; pivot < count; pivot++) {
    for (let row = pivot + 1; row < count; row++) {
      const factor = rows[row][pivot] / rows[pivot][pivot];
      if (factor) for (let k = pivot; k <= count; k++) rows[row][k] -= factor * rows[pivot][k];
    }
  }
  const x = new Float64Array(count);
  for (let row = count - 1; row >= 0; row--) {
    let rest = rows[row][count];
    for (let k = row + 1; k < count; k++) rest -= rows[row][k] * x[k];
    x[row] = rest / rows[row][row];
  }
  return x;
}

/**
 * The way back from an autoencoder's code to z. Its prior says code = mean + z S, and a code here is known to ± noise:
 * the most probable z is (S Sᵀ + noise² I)⁻¹ S (code − mean). Where S is near singular that stays small, where an inverse
 * would not.
 */
export function backwards(net, noise) {
  const units = net.latentDim;
  const zero = Float64Array.from(net.code(new Float32Array(units)));
  const rows = Array.from({ length: units }, (_, k) => mixed(1, net.code(singleUnit(k, units)), -1, zero));
  const square = rows.map((a, i) => rows.map((b, j) => inner(a, b) + (i === j ? noise ** 2 : 0)));
  const shares = (offset) => rows.map((row) => inner(row, offset));
  return { centre: zero, rows, z: (code) => solved(square, shares(mixed(1, code, -1, zero))) };
}
