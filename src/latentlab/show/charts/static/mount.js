// Charts of a page that was written as HTML by `report/markup.py`: the figures, titles and tables are there, the drawings are not.
import { plot } from "./plot.js";
import { whenShown } from "./elements.js";

const stores = new WeakMap();

/** What the page holds once under an id. */
function shared(place, id, store) {
  const home = place.getRootNode();
  if (store) stores.set(home, store);
  if (!stores.has(home)) stores.set(home, JSON.parse(home.querySelector("script#shared")?.textContent ?? "{}"));
  return stores.get(home)[id];
}

function mountChart(box, store) {
  const figure = box.closest("figure");
  const words = JSON.parse(figure.querySelector(".plot-words").textContent);
  const data = shared(box, box.dataset.sharedChart, store);
  const ui = shared(box, words.ui);
  if (!data || !ui) return;
  box.dataset.mounted = "";
  figure.querySelector(".plot-numbers").open = false;
  figure.classList.add("drawn");
  plot(figure, box, data, words, ui);
}

function mountPicture(picture) {
  const home = picture.getRootNode();
  whenShown(picture.parentElement, () => {
    const first = home.querySelector(`img[data-picture="${picture.dataset.shared}"]`);
    if (first && !picture.hasAttribute("src")) picture.src = first.src;
  });
}

/**
 * Draw the charts under a document, an element or a shadow root, and fill in the pictures that another tree of the page
 * holds; what is hidden is drawn when it is first shown. Mounting twice is harmless. `store` is what `script#shared`
 * holds, where the caller has read it already.
 */
export function mount(root = document, store = null) {
  for (const box of root.querySelectorAll("[data-shared-chart]:not([data-mounted])")) mountChart(box, store);
  for (const picture of root.querySelectorAll("img[data-shared]:not([src])")) mountPicture(picture);
}
