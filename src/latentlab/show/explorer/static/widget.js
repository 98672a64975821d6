// The explorer as an anywidget, in a notebook; `explore` comes from the module before.

const SETTLED_MS = 200; // JupyterLab lays its page out anew after its theme has changed: what is drawn at once is not seen

/** Whether the notebook around an element is dark: then its words are light. */
function isDark(element) {
  const [red, green, blue] = getComputedStyle(element).color.match(/[\d.]+/g).map(Number);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 128;
}

async function render({ model, el }) {
  const place = document.createElement("div");
  const themed = () => (place.className = `latentlab-widget explorer-${isDark(document.body) ? "dark" : "light"}`);
  place.dataset.lmSuppressShortcuts = "true"; // JupyterLab's own, of arrows and letters
  themed();
  el.append(place);
  const content = JSON.parse(new TextDecoder().decode(model.get("content")));
  const handle = await explore(place, content, model.get("words"), { lang: model.get("lang") });
  const tell = ({ z, code }) => {
    model.set("point", { z, code });
    model.save_changes();
  };
  handle.onchange(tell);
  tell(handle.state());
  const theme = new MutationObserver(() => {
    themed();
    setTimeout(() => handle.recolour(), SETTLED_MS);
  });
  theme.observe(document.body, { attributeFilter: ["data-jp-theme-light", "class"] });
  return () => {
    theme.disconnect();
    handle.destroy();
  };
}

export default { render };
