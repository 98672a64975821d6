// What each pixel adds to −log p(x|z), as models/likelihoods.py says it. Letters: C channels, P outputs of a decoder, H × W places.
const LEVELS = 256; // of a byte
const HALF = 0.5 / (LEVELS - 1);
const STEEPEST = -7; // log of a mixed logistic's smallest scale

const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));
const softplus = (value) => Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)));

/** log P(byte) of a logistic distribution cut into 256 levels, the outer ones with its tails. */
function logisticLog(location, logScale, x) {
  const slope = Math.exp(-logScale);
  const up = x < 1 - HALF ? -softplus(-slope * (x + HALF - location)) : 0;
  const down = x > HALF ? -softplus(slope * (x - HALF - location)) : 0;
  return up + down + (x > HALF && x < 1 - HALF ? Math.log(-Math.expm1(-2 * HALF * slope)) : 0);
}

/** log ((e^η − 1) / η): what a continuous Bernoulli's density is divided by. */
function continuousLog(eta) {
  const size = Math.abs(eta);
  if (size > 0.5) return 0.5 * (eta + size) + Math.log(-Math.expm1(-size)) - Math.log(size);
  return 0.5 * eta + eta ** 2 * (1 / 24 - eta ** 2 * (1 / 2880 - eta ** 2 / 181440));
}

const bernoulli = (logit, x) => softplus(logit) - x * logit;
function gaussian(logit, x, logScale) {
  return 0.5 * ((x - sigmoid(logit)) / Math.exp(logScale)) ** 2 + logScale + 0.5 * Math.log(2 * Math.PI) + Math.log(LEVELS);
}

/** −log p of one number x of the image, given the decoder's output for it and its channel's log scale. */
const ONE = {
  bernoulli,
  bce: bernoulli,
  mse: (logit, x) => 0.5 * (sigmoid(logit) - x) ** 2,
  gaussian,
  "gaussian-learned": gaussian,
  "gaussian-optimal": gaussian,
  "continuous-bernoulli": (eta, x) => continuousLog(eta) - eta * x + Math.log(LEVELS),
  logistic: (logit, x, logScale) => -logisticLog(sigmoid(logit), logScale, x),
};

/** −log p of the channels at one place under K logistics mixed there: outputs [K (1 + 2C) × places]. */
function mixture(outputs, pixels, place, places) {
  const channels = pixels.length / places;
  const count = outputs.length / places / (1 + 2 * channels);
  const at = (row) => outputs[row * places + place];
  const weights = Array.from({ length: count }, (_, k) => at(k));
  const logs = weights.map((weight, k) => {
    let sum = weight;
    for (let c = 0; c < channels; c++) {
      const row = count + k * channels + c;
      const logScale = Math.max(STEEPEST, at(row + count * channels) + Math.log(0.1));
      sum += logisticLog(sigmoid(at(row)), logScale, pixels[c * places + place]);
    }
    return sum;
  });
  return logSum(weights) - logSum(logs);
}

function logSum(values) {
  const largest = Math.max(...values);
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

/** Nats of each place [H × W] for pixels [C × H × W]; `logScale` [C] where the likelihood has one. */
export function pixelNats(name, outputs, pixels, [, height, width], logScale) {
  const places = height * width;
  return Float64Array.from({ length: places }, (_, place) => {
    if (name === "logistic-mixture") return mixture(outputs, pixels, place, places);
    let sum = 0;
    for (let at = place; at < pixels.length; at += places) sum += ONE[name](outputs[at], pixels[at], logScale?.[Math.floor(at / places)]);
    return sum;
  });
}
