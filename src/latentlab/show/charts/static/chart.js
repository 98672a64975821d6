// A chart that a host makes of numbers and words, and that follows them while they change.
import { alike } from "./numbers.js";
import { element } from "./elements.js";
import { plot } from "./plot.js";

/** The table of numbers, written when a reader unfolds it, and anew when it changes. */
function addTable(figure) {
  const details = element("details", "plot-numbers numbers", figure);
  const name = element("summary", "", details);
  let shown = null;
  let held = null;
  const write = () => {
    if (!held || !details.open || alike(shown, held)) return;
    shown = held;
    const [, caption, head, rows] = held;
    details.querySelector("table")?.remove();
    const table = element("table", "", details);
    element("caption", "", table, caption);
    const top = element("tr", "", element("thead", "", table));
    for (const said of head) element("th", "", top, said).scope = "col";
    const body = element("tbody", "", table);
    for (const [place, cells] of rows) {
      const row = element("tr", "", body);
      element("th", "", row, place).scope = "row";
      for (const [value, interval] of cells) {
        const cell = element("td", "", row, value);
        if (interval) element("small", "", cell, interval);
      }
    }
  };
  details.addEventListener("toggle", write);
  return (table) => {
    held = table ?? null;
    details.hidden = !held;
    if (held && name.textContent !== held[0]) name.textContent = held[0];
    write();
  };
}

/**
 * Draw a chart at the end of `root`, an element or a shadow root: `data` and `words` are what `chart_data` and
 * `chart_words` write; with `words.table`, what `chart_table` writes, a table of the numbers can be unfolded.
 *
 * Returns a handle. `update(data, words)` brings new numbers and words into the chart: series that were hidden stay so, a
 * reader who has zoomed in stays there and else sees the whole range, cursor and focus stay where they are. Without
 * changes it does nothing. `destroy()` takes the chart away and everything it listened to.
 */
export function chart(root, data, words) {
  const figure = document.createElement("figure");
  figure.className = "plot drawn";
  const title = element("p", "plot-title", figure);
  const box = element("div", "plot-chart", figure);
  box.setAttribute("role", "img");
  const summary = element("figcaption", "", figure);
  const setTable = addTable(figure);
  let held = null;
  const say = (said) => {
    if (said.title !== held?.title) title.textContent = said.title;
    if (said.summary !== held?.summary) {
      summary.textContent = said.summary;
      box.setAttribute("aria-label", said.summary);
    }
    setTable(said.table);
    held = said;
  };
  say(words);
  root.append(figure);
  const { update, destroy } = plot(figure, box, data, words, words.ui);
  return {
    update(newData, newWords) {
      say(newWords);
      update(newData, newWords, newWords.ui);
    },
    destroy() {
      destroy();
      figure.remove();
    },
  };
}
