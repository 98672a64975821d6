// What an encoder makes of an image, and which held-out images it puts nearest. Letters: Z latent units.
export const NEIGHBOURS = 5;

/** The posterior of pixels [C × H × W]: {mean [Z], std [Z]}; an autoencoder's code has no std (null). */
export function posterior({ encoder, latent }, pixels) {
  const out = encoder.run(pixels); // a VAE's Z means, then its Z log-variances
  const mean = Float64Array.from(out.subarray(0, latent));
  return { mean, std: out.length === latent ? null : Float64Array.from(out.subarray(latent), (logVar) => Math.exp(logVar / 2)) };
}

/** How much each unit says about the image: KL(N(μ, σ²) ‖ N(0, 1)) in nats, [Z] (Kingma & Welling 2014, appendix B). */
export const unitNats = ({ mean, std }) => mean.map((mu, k) => 0.5 * (mu ** 2 + std[k] ** 2 - 1) - Math.log(std[k]));

/** The held-out images whose codes [N, Z] lie nearest to a code: [{row, distance}], the nearest first. */
export function nearestImages(codes, code) {
  const squares = codes.map((other) => other.reduce((sum, value, k) => sum + (value - code[k]) ** 2, 0));
  const order = [...squares.keys()].sort((a, b) => squares[a] - squares[b]).slice(0, NEIGHBOURS);
  return order.map((row) => ({ row, distance: Math.sqrt(squares[row]) }));
}

/** The label that most of these rows have, of equals the one that is nearer: {label, count}. */
export function majority(rows, labels) {
  const counts = new Map();
  for (const row of rows) counts.set(labels[row], (counts.get(labels[row]) || 0) + 1);
  const [label, count] = [...counts].reduce((best, next) => (next[1] > best[1] ? next : best)); // a Map keeps the order
  return { label, count };
}
