// The page: one tree of elements for each language, of which one is shown. A tree comes to life when it is first shown;
// what was set in the other (a slider, a point in the latent plane, a prediction) is taken over.
{
  const shared = JSON.parse(document.getElementById("shared").textContent);
  const trees = new Map([...document.querySelectorAll("main[lang]")].map((tree) => [tree.lang, tree]));
  const buttons = [...document.querySelectorAll(".languages button")];
  const alive = new Map(); // language → parts that have a state, in the order of the page
  let current = document.documentElement.lang;

  function fillPictures(tree) {
    for (const picture of tree.querySelectorAll("img[data-shared]")) {
      picture.src = document.querySelector(`img[data-picture="${picture.dataset.shared}"]`).src;
      picture.removeAttribute("data-shared");
    }
  }

  // A prediction is made before the result is looked at; it stays on this page and is sent nowhere.
  function mountPrediction(form) {
    const said = form.querySelector(".said");
    const radios = [...form.querySelectorAll("input")];
    const chosen = () => radios.findIndex((radio) => radio.checked);
    const tell = () => {
      const radio = radios[chosen()];
      if (!radio) return;
      said.textContent = form.dataset[radio.dataset.true === "yes" ? "right" : radio.dataset.true === "no" ? "wrong" : "open"];
      said.hidden = !form.parentElement.querySelector("details").open;
    };
    form.addEventListener("change", tell);
    form.parentElement.querySelector("details").addEventListener("toggle", tell);
    return {
      state: () => ({ chosen: chosen(), open: form.parentElement.querySelector("details").open }),
      restore: (state) => {
        radios.forEach((radio, place) => { radio.checked = place === state.chosen; });
        form.parentElement.querySelector("details").open = state.open;
        tell();
      },
    };
  }

  const fold = (part) => ({ state: () => ({ open: part.open }), restore: (state) => { part.open = state.open; } });

  // A link to what is folded unfolds it.
  function unfold(id) {
    const target = document.getElementById(id);
    let part = target?.querySelector(":scope > details.folded") ?? target?.closest("details");
    for (; part; part = part.parentElement.closest("details")) part.open = true;
    return target;
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (link) unfold(link.getAttribute("href").slice(1));
  });

  async function mountExplorer(place) {
    const { content, words, parts } = place.dataset;
    return explore(place, shared[content], shared[words], { lang: place.closest("main").lang, parts: parts.split(" ") });
  }

  // The last picture of each run stands in the page; the others come from what both languages share.
  function mountFilm(viewer) {
    const place = viewer.querySelector(".film"), data = JSON.parse(viewer.querySelector(".words").textContent);
    const last = [...place.querySelectorAll("img")].map((picture) => picture.src);
    place.firstElementChild.hidden = true;
    const source = (name, step) => {
      const run = data.runs.findIndex((one) => one.name === name);
      return shared[viewer.dataset.frames][name][data.runs[run].steps.indexOf(step)] ?? last[run];
    };
    return latentlabCharts.film(place, data, { source });
  }

  async function wake(tree) {
    fillPictures(tree);
    const parts = [
      ...[...tree.querySelectorAll(".viewer")].map(mountFilm),
      ...[...tree.querySelectorAll(".prediction")].map(mountPrediction),
      ...[...tree.querySelectorAll("details.folded")].map(fold),
    ];
    alive.set(tree.lang, parts);
    latentlabCharts.mount(tree, shared);
    for (const place of tree.querySelectorAll(".explorer[data-content]")) parts.push(await mountExplorer(place));
  }

  // The section that is being read, and how far down its top stands: the other tree is scrolled to the same place.
  function reading(tree) {
    const sections = [...tree.querySelectorAll("section[data-section]")];
    const section = sections.findLast((one) => one.getBoundingClientRect().top < 120);
    return section && { name: section.dataset.section, top: section.getBoundingClientRect().top };
  }

  async function show(lang) {
    const before = trees.get(current);
    const tree = trees.get(lang);
    const place = current === lang ? null : reading(before);
    for (const [name, one] of trees) one.hidden = name !== lang;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.lang === lang));
    document.documentElement.lang = lang;
    document.title = tree.dataset.title;
    const states = lang === current ? [] : (alive.get(current) ?? []).map((part) => part.state?.());
    (alive.get(current) ?? []).forEach((part) => part.rest?.());
    current = lang;
    if (!alive.has(lang)) await wake(tree);
    if (current !== lang) return; // switched back meanwhile
    alive.get(lang).forEach((part, index) => states[index] && part.restore?.(states[index]));
    if (place) {
      const there = tree.querySelector(`section[data-section="${place.name}"]`);
      if (there) window.scrollBy({ top: there.getBoundingClientRect().top - place.top, behavior: "instant" });
    }
  }

  for (const button of buttons) button.addEventListener("click", () => show(button.lang));
  document.querySelector(".languages").hidden = trees.size < 2;

  // Paper has no disclosure triangles: of the sections that are open, and of the scores, what is folded is printed, and folded again.
  let unfolded = [];
  window.addEventListener("beforeprint", () => {
    const tree = trees.get(current);
    const folded = [...tree.querySelectorAll("details:not([open]):not(.numbers)")]
      .filter((part) => !part.matches(".folded") || part.matches("[data-section=comparison] > .folded"));
    unfolded.push(...folded); // twice before printing, where a program asks for a PDF
    for (const part of folded) part.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const part of unfolded) part.open = false;
    unfolded = [];
  });

  const asked = location.hash.slice(1);
  document.documentElement.dataset.ready = "no";
  window.addEventListener("hashchange", () => unfold(location.hash.slice(1))?.scrollIntoView());
  const home = document.getElementById(asked)?.closest("main[lang]")?.lang; // of a link to a part
  show(trees.has(asked) ? asked : home ?? current).then(() => {
    unfold(asked)?.scrollIntoView();
    document.documentElement.dataset.ready = "yes";
  });
}
