// Words and elements of the page.

/** Numbers as texts.py writes them: a real minus, the language's decimal mark. */
export function spell(value, decimals, lang) {
  const [whole, part] = Math.abs(value).toFixed(decimals).split(".");
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  const sign = value < 0 && Number(value.toFixed(decimals)) !== 0 ? "\u2212" : "";
  return sign + grouped + (part ? (lang === "fr" ? "," : ".") + part : "");
}

/** An element with attributes (a function is a listener, null and false are left out) and children. */
export function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

export const button = (label, click, attributes = {}) =>
  make("button", { type: "button", class: "explorer-button", click, ...attributes }, label);

let made = 0;
export const unique = () => `explorer-${++made}`;

/** A labelled list of choices [[value, text], …]. */
export function chooser(label, choices, value, change) {
  const select = make("select", { class: "explorer-select", id: unique(), change: () => change(select.value) });
  select.append(...choices.map(([key, text]) => make("option", { value: key }, text)));
  select.value = value;
  return make("div", { class: "explorer-choice" }, make("label", { for: select.id }, label), select);
}

/** A small picture to paint a model's image on; square until it is painted, so that nothing moves then. */
export const picture = (className, attributes = {}) =>
  make("canvas", { class: `explorer-image ${className}`, role: "img", width: "1", height: "1", ...attributes });

/** Put new controls in the place of old ones; the control that had the focus has it still. */
export function replaceKeepingFocus(parent, children) {
  const controls = () => [...parent.querySelectorAll("select, input, button")];
  const held = controls().indexOf(parent.getRootNode().activeElement);
  parent.replaceChildren(...children);
  if (held >= 0) controls()[held]?.focus({ preventScroll: true });
}

/** A model's name behind its colour. */
export const titled = (desk, model) =>
  make(
    "span",
    { class: `explorer-name explorer-${model.kind}` },
    make("span", { class: "explorer-swatch", "aria-hidden": "true" }),
    desk.name(model),
  );
