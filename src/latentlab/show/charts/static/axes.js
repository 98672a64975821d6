// Axes: where they end, their ticks and what these say, and labels that keep out of each other's way.
//
// Units: u is a place on the horizontal axis and v one on the vertical axis, logarithms where the axis has them, places
// 0, 1, 2 … where values stand at equal distances; pixels are CSS pixels.
import { number, raised } from "./numbers.js";
import { widthOf } from "./elements.js";

export const TICKS = 6;

export const forward = (log) => (log ? (value) => (value > 0 ? Math.log10(value) : NaN) : (value) => value);
export const back = (log) => (log ? (place) => 10 ** place : (place) => place);

/** A round step, 1, 2 or 5 times a power of ten, that divides a span into at most `most` parts. */
function roundStep(span, most) {
  const rough = span / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((times) => times * power >= rough * 0.999) ?? 10);
}

/** Ticks [place, label] of an axis between two places. */
export function ticks(low, high, log, lang, most = TICKS) {
  if (!log) {
    const step = roundStep(high - low || 1, most);
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const found = [];
    for (let at = Math.ceil(low / step - 1e-6); at * step <= high + step * 1e-6; at += 1) {
      const value = at * step;
      found.push([value, decimals > 4 ? number(Number(value.toPrecision(6)), lang) : number(value, lang, decimals)]);
    }
    return found;
  }
  const decades = Math.floor(high + 1e-9) - Math.ceil(low - 1e-9) + 1;
  if (high - low < 0.7) { // less than a factor of five: as on a plain axis
    return ticks(10 ** low, 10 ** high, false, lang, most).filter(([value]) => value > 0).map(([value, said]) => [Math.log10(value), said]);
  }
  const times = [[1, 2, 5], [1, 3], [1]].find((each) => each.length * (high - low) <= most) ?? [1];
  const every = Math.max(1, Math.ceil(decades / most));
  const found = [];
  for (let power = Math.floor(low); power <= high; power += 1) {
    if (times.length === 1 && power % every) continue;
    for (const each of times) {
      const place = power + Math.log10(each);
      if (place >= low - 1e-9 && place <= high + 1e-9) {
        const far = power < -4 || power > 5;
        found.push([place, far ? `${each > 1 ? `${each} × ` : ""}10${raised(power)}` : number(Number((each * 10 ** power).toPrecision(3)), lang)]);
      }
    }
  }
  return found;
}

/** The ends of a value axis around [low, high]: round, with some air, and with 0 where it is near. */
export function ends(low, high, log, zero = false) {
  if (!(low <= high)) return [0, 1];
  if (log) {
    const air = Math.max(0.05 * (high - low), 0.03);
    return [low - air, high + air];
  }
  if (zero || (low >= 0 && low < 0.3 * high)) low = Math.min(low, 0);
  if (zero) high = Math.max(high, 0);
  if (low === high) return low ? [low - Math.abs(low) * 0.1, high + Math.abs(high) * 0.1] : [0, 1];
  const step = roundStep(high - low, TICKS - 1);
  const air = 0.04 * (high - low);
  return [low === 0 ? 0 : Math.max(Math.floor(low / step) * step, low - 3 * air), Math.min(Math.ceil(high / step) * step, high + 3 * air)];
}

/** Leave out labels that would touch their neighbours: every second, third … stays. `at` gives pixels. */
export function spaced(labels, at, chart) {
  for (let every = 1; every < labels.length; every += 1) {
    const kept = labels.filter((_, place) => place % every === 0);
    const touches = kept.some(([place, said], index) => {
      if (!index) return false;
      const [before, words] = kept[index - 1];
      return at(place) - at(before) < (widthOf(said, chart) + widthOf(words, chart)) / 2 + 10;
    });
    if (!touches) return kept;
  }
  return labels.slice(0, 1);
}

/** Labels of vertical lines in as many rows as keep them apart; returns the rows. Entries: {x, said, row, anchor}. */
export function stacked(entries, right, chart) {
  const rows = [];
  for (const entry of entries) {
    const width = widthOf(entry.said, chart) + 4;
    entry.anchor = entry.x + width > right && entry.x - width > 0 ? "end" : "start";
    const from = entry.anchor === "end" ? entry.x - width : entry.x;
    entry.row = rows.findIndex((taken) => taken.every(([a, b]) => from > b + 8 || from + width < a - 8));
    if (entry.row < 0) entry.row = rows.push([]) - 1;
    rows[entry.row].push([from, from + width]);
  }
  return rows.length;
}
