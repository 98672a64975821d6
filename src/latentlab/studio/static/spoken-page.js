// What screen readers are told of a page: its language, where the links to the other pages are, which of them is this one.
export default function ({ data }) {
  document.documentElement.lang = data.lang;
  const mark = () => {
    const bar = document.querySelector(".st-key-bar");
    if (!bar) return;
    bar.setAttribute("role", "navigation");
    bar.setAttribute("aria-label", data.bar);
    for (const link of bar.querySelectorAll("[data-testid='stPageLink'] a")) {
      // As it is written: the first page's is empty, which the browser would take for the page that is open.
      const page = link.getAttribute("href").split("?")[0].split("/").pop();
      if (page === data.page) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
  mark();
  const later = setTimeout(mark, 500); // the links may be drawn after this
  return () => clearTimeout(later);
}
