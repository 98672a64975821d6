// The points of lines as places on both axes, in the order of the horizontal one, and how to find one.
import { back, forward } from "./axes.js";

function doubles(values = []) {
  const made = new Float64Array(values.length);
  for (let i = 0; i < made.length; i += 1) made[i] = values[i] === null ? NaN : values[i];
  return made;
}

/** Places of points in the order of the axis: as they are, or sorted without those that have no place. */
function ordered(u) {
  const order = new Uint32Array(u.length);
  let sorted = true;
  for (let i = 0; i < u.length; i += 1) {
    order[i] = i;
    sorted &&= !Number.isNaN(u[i]) && (i === 0 || u[i] >= u[i - 1]);
  }
  return { sorted, order: sorted ? order : order.filter((i) => !Number.isNaN(u[i])).sort((a, b) => u[a] - u[b]) };
}

/**
 * Give each series u, v, bottom and top (ends of its interval), and `order`, its points by u.
 * Returns the axis: stops (values at equal distances, or null), log, toU, fromU, and the `whole` range of u.
 */
export function placed(data, series) {
  const [toPlace, toV] = [forward(data.log_x && !data.categories), forward(data.log_y)];
  const own = data.series.map((one) => (typeof one.x === "number" ? data.series[one.x].x : one.x));
  const stops = data.categories ? [...new Set(own.flat())].sort((a, b) => a - b) : null;
  const place = stops ? new Map(stops.map((value, at) => [value, at])) : null;
  const toU = place ? (x) => place.get(x) ?? NaN : toPlace;
  const fromU = stops ? (u) => stops[Math.round(u)] : back(data.log_x);
  const plainU = !place && !data.log_x;
  const onAxis = (values) => (data.log_y ? values.map(toV) : values);
  series.forEach((one, at) => {
    const x = doubles(own[at]);
    one.u = plainU ? x : x.map(toU);
    for (const name of ["y", "low", "high"]) one[name] = doubles(data.series[at][name]);
    [one.v, one.bottom, one.top] = [one.y, one.low, one.high].map(onAxis);
    Object.assign(one, ordered(one.u));
  });
  const spans = series.filter((one) => one.order.length).map((one) => [one.u[one.order[0]], one.u[one.order.at(-1)]]);
  const whole = spans.length ? [Math.min(...spans.map(([a]) => a)), Math.max(...spans.map(([, b]) => b))] : [0, 1];
  return { stops, log: data.log_x, toU, fromU, whole: whole[0] === whole[1] ? [whole[0] - 0.5, whole[1] + 0.5] : whole };
}

/** The first place in `order` whose u is at least a value. */
export function rank(one, u) {
  let [low, high] = [0, one.order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (one.u[one.order[middle]] < u) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The place in `order` whose u is nearest to a value. */
export function nearest(one, u) {
  const at = rank(one, u);
  if (at === 0 || at === one.order.length) return at ? at - 1 : 0;
  return u - one.u[one.order[at - 1]] <= one.u[one.order[at]] - u ? at - 1 : at;
}

/** The stretch of `order` to draw: what is in view and one point beyond each edge. */
export function stretch(one, view) {
  return [Math.max(0, rank(one, view[0]) - 1), Math.min(one.order.length, rank(one, view[1] + 1e-12) + 1)];
}

/** Lowest and highest v of some series within a view, intervals included. */
export function extent(series, view) {
  let [low, high] = [Infinity, -Infinity];
  const widen = (value) => {
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  };
  for (const one of series) {
    const [from, to] = stretch(one, view);
    for (let at = from; at < to; at += 1) {
      const i = one.order[at];
      if (one.u[i] < view[0] || one.u[i] > view[1]) continue;
      widen(one.v[i]);
      if (one.low.length) {
        widen(one.bottom[i]);
        widen(one.top[i]);
      }
    }
  }
  return [low, high];
}
