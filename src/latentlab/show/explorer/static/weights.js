// A network's weights as a page holds them: text of base 85, deflated, tensors one behind the other.

export function refuse(what) {
  throw new Error(`latentlab explorer: ${what}`);
}

export const size = (shape) => shape.reduce((product, axis) => product * axis, 1);

/** The float of 16 bits (IEEE 754 binary16). */
export function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : bits & 0x8000 ? -Infinity : Infinity;
  const magnitude = exponent ? (1024 + fraction) * POWERS[exponent] : fraction * POWERS[1];
  return bits & 0x8000 ? -magnitude : magnitude;
}
const POWERS = Float64Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 25));

/** A tensor of the weights as a Float32Array of its own. */
export function tensor(entry, weights) {
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

// The alphabet of latentlab.show.explorer: five characters are four bytes, and nothing in it needs to be escaped in a page.
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

/** Raw deflate as text of base 85, unpacked: a Uint8Array. */
export async function inflated(text85) {
  const bytes = bytesOf85(text85);
  let stream;
  try {
    stream = new DecompressionStream("deflate-raw");
  } catch {
    refuse("this browser cannot unpack the weights: it needs DecompressionStream (Chrome 103, Firefox 113, Safari 16.4 or later)");
  }
  try {
    return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
  } catch {
    return refuse("the weights cannot be unpacked: the page is not whole");
  }
}
