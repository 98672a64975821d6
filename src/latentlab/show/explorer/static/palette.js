// The colours of a map, as the style sheet has them now.

// Of classes (after Petroff 2021), of a printed map, and of what stands on a map filled with pictures, which are black.
export const HUES = ["#3f90da", "#bd1f01", "#5d7a2f", "#832db6", "#e76300", "#717581", "#a96b59", "#0a8a8a", "#d94fa0", "#b38600"];
export const PRINTED = { side: 400, ratio: 3, ink: "#000", soft: "#444", rule: "#bbb", accent: "#5c430f", ground: "#fff" };
const OVER = { ink: "#fff", soft: "#bbb", rule: "#777", accent: "#ffc94d", ground: "#000" };

/** {ink, soft, rule, accent, ground, font, hue(label)} for what stands on an element, on paper, or over pictures. */
export function coloursAt(node, { filled, printing }) {
  const style = getComputedStyle(node);
  const value = (name) => style.getPropertyValue(`--x-${name}`).trim();
  const dark = value("dark") === "1" && !printing && !matchMedia("print").matches;
  const hues = HUES.map((own, k) => style.getPropertyValue(`--explorer-class-${k}`).trim() || (dark || filled ? lightened(own) : own));
  const rest = { font: value("sans"), hue: (label) => hues[label % hues.length] };
  if (filled) return { ...OVER, ...rest };
  if (printing) return { ...PRINTED, ...rest };
  const [ink, soft, rule, accent] = ["ink", "soft", "rule", "accent"].map(value);
  return { ink, soft, rule, accent, ground: style.backgroundColor, ...rest };
}

/** A colour "#rrggbb" as it is drawn on dark ground. */
function lightened(colour) {
  const parts = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  return `rgb(${parts.map((part) => Math.round(0.62 * part + 0.38 * 255)).join(" ")})`;
}
