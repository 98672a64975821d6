// What a page adds to Streamlit's own: what screen readers are told (the language, where the links to the other pages are, which of
// them is this one), links that lead where they say, and words of ours when the server is gone.

/** The address that a link names: as Streamlit writes it, without the "/" before it, it would be below the page that is open. */
function rooted() {
  for (const link of document.querySelectorAll("[data-testid='stPageLink'] a[href]:not([href^='/'])")) link.setAttribute("href", `/${link.getAttribute("href")}`);
}

/** Streamlit changes the address only where a link leads to another page, and a menu that closes at the same click calls the page
 * back. So for every link the address is changed here, and the page is told as by the browser's way back. */
function follow(event) {
  const link = event.target.closest?.("[data-testid='stPageLink'] a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  rooted();
  event.preventDefault();
  event.stopPropagation();
  if (link.href !== location.href) history.pushState({}, "", link.href);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Words of ours where the server is gone: Streamlit's are English and ask whether the reader has a network. */
function lost() {
  const app = document.querySelector("[data-test-connection-state]"), state = app?.dataset.testConnectionState;
  const gone = ["PINGING_SERVER", "DISCONNECTED_FOREVER"].includes(state);
  if (gone === Boolean(document.getElementById("latentlab-lost"))) return;
  document.body.classList.toggle("latentlab-lost", gone);
  if (!gone) return document.getElementById("latentlab-lost").remove();
  const said = Object.assign(document.createElement("div"), { id: "latentlab-lost", textContent: document.latentlabLost });
  said.setAttribute("role", "alert");
  document.body.append(said);
}

if (!document.latentlab) {
  document.latentlab = new MutationObserver(() => { rooted(); lost(); });
  const attributeFilter = ["href", "data-test-connection-state"];
  document.latentlab.observe(document.body, { childList: true, subtree: true, attributeFilter });
  document.addEventListener("click", follow, { capture: true });
}

export default function ({ data }) {
  document.documentElement.lang = data.lang;
  document.latentlabLost = data.lost;
  const mark = () => {
    const bar = document.querySelector(".st-key-bar");
    if (!bar) return;
    rooted();
    bar.setAttribute("role", "navigation");
    bar.setAttribute("aria-label", data.bar);
    for (const link of bar.querySelectorAll("[data-testid='stPageLink'] a")) {
      if (link.pathname !== `/${data.page}`) {
        link.removeAttribute("aria-current");
        continue;
      }
      link.setAttribute("aria-current", "page");
      const row = link.closest(".st-key-pages"); // which scrolls on a phone
      row.scrollLeft += Math.max(0, link.getBoundingClientRect().right - row.getBoundingClientRect().right);
    }
  };
  mark();
  const later = setTimeout(mark, 500); // the links may be drawn after this
  return () => clearTimeout(later);
}
