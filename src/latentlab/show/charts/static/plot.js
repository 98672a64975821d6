// A chart in its place on a page: drawn when it is first shown, as wide as its figure, on paper half a page wide.
import { alike } from "./numbers.js";
import { whenShown } from "./elements.js";
import { barChart } from "./bars.js";
import { lineChart } from "./lines.js";

const PAPER = 420; // widest chart on paper
const drawn = new Set(); // the charts that are on a page

const onPaper = () => drawn.forEach((one) => one.draw(PAPER));
const onScreen = () => drawn.forEach((one) => one.draw());

function enter(one) {
  if (!drawn.size) { // what had been folded is drawn on paper, too
    window.addEventListener("beforeprint", onPaper);
    window.addEventListener("afterprint", onScreen);
  }
  drawn.add(one);
}

function forget(one) {
  drawn.delete(one);
  if (drawn.size) return;
  window.removeEventListener("beforeprint", onPaper);
  window.removeEventListener("afterprint", onScreen);
}

/**
 * Draw a chart into `box`, an element with the role img and its summary as name, within `figure`.
 * Returns `update(data, words, ui)`, which does nothing when nothing has changed, and `destroy()`.
 */
export function plot(figure, box, data, words, ui) {
  let held = { data, words, ui };
  let chart = null;
  const open = () => (held.data.kind === "bars" ? barChart : lineChart)(box, held.data, held.words, held.ui);
  const one = {
    draw(most = Infinity) {
      const room = Math.floor(figure.getBoundingClientRect().width);
      if (!room) return;
      chart ??= open();
      chart.width = Math.min(room, most);
      chart.leave();
      chart.draw();
    },
  };

  function close() {
    chart.stage.replaceWith(box);
    box.textContent = "";
    chart = null;
  }

  function update(newData, newWords, newUi = newWords.ui) {
    const renewed = { data: newData, words: newWords, ui: newUi };
    if (alike(renewed, held)) return;
    const sameKind = newData.kind === held.data.kind;
    held = renewed;
    if (!chart) return; // drawn from these when it is first shown
    if (!sameKind) {
      close();
      return one.draw();
    }
    chart.renew(newData, newWords, newUi);
    if (!figure.getBoundingClientRect().width) return; // hidden: drawn when it is shown again
    chart.draw();
    if (chart.cursor !== null) chart.read(chart.cursor, false);
  }

  enter(one);
  const unwatch = whenShown(figure, () => one.draw());
  return {
    update,
    destroy() {
      unwatch();
      forget(one);
      if (chart) close();
    },
  };
}
