// Numbers as `texts.py` writes them, and words with places for them.

export const raised = (power) => String(power).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);

function local(plain, lang) {
  const [whole, part] = plain.replace("-", "").split(".");
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  return (plain.startsWith("-") && Number(plain) ? "\u2212" : "") + grouped + (part ? (lang === "fr" ? "," : ".") + part : "");
}

/** A number with `decimals` digits, or as few as it has, at most six figures. */
export function number(value, lang, decimals) {
  if (!Number.isFinite(value)) return "–";
  if (decimals !== undefined) return local(value.toFixed(decimals), lang);
  if (Number.isInteger(value) && Math.abs(value) < 1e12) return local(value.toFixed(0), lang);
  const [mantissa, power] = value.toExponential(5).split("e").map(Number);
  if (power < -4 || power > 5) return `${local(String(mantissa), lang)} × 10${raised(power)}`;
  return local(String(Number(value.toPrecision(6))), lang);
}

/** A value to read: to four figures, its whole part complete. */
export function figures(value, lang, most = 4) {
  return number(Math.abs(value) < 10 ** (most - 1) ? Number(value.toPrecision(most)) : Math.round(value), lang);
}

/** A pattern with its {names} filled. */
export const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** Whether two values, as JSON holds them, are the same through and through. */
export function alike(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one)) return Array.isArray(other) && one.length === other.length && one.every((each, place) => alike(each, other[place]));
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => alike(one[name], other[name]));
}
