// The link to the other language leads to the place one is at, with the explorers as they stand.
const placeHere = () => {
  const places = [...document.querySelectorAll("main [id]")].filter((element) => /^(sec|fig|tbl|eq|explore)-/.test(element.id));
  const passed = places.filter((element) => element.getBoundingClientRect().top <= 120);
  return passed.length && window.scrollY > 0 ? `#${passed.at(-1).id}` : "";
};
for (const other of document.querySelectorAll("a[href]")) {
  const target = new URL(other.href, location.href);
  const language = target.pathname.match(/\/(sl|en)\/(index\.html)?$/)?.[1];
  if (!language || language === study.language || target.hash) continue;
  const keepPlace = () => {
    target.search = location.search;
    target.hash = placeHere();
    other.href = target.href;
  };
  for (const event of ["pointerdown", "focus", "click"]) other.addEventListener(event, keepPlace);
}

// A table that scrolls within its frame can be reached by keyboard in Quarto's pages, too.
for (const frame of document.querySelectorAll("figure.quarto-float-tbl > div")) frame.tabIndex = 0;

// An option of a command is not broken after its hyphens.
for (const command of document.querySelectorAll("main :not(pre) > code")) {
  const parts = command.textContent.split(/(--?[a-z]+)/);
  command.replaceChildren(...parts.map((part, index) => (index % 2 ? build("span", { class: "option" }, part) : part)));
}

// A figure opens larger over the page. Without scripts, and in a new tab, its link leads to the picture itself.
const zoomed = build("dialog", { class: "zoomed" });
for (const opener of document.querySelectorAll("a.zoom")) {
  opener.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !zoomed.showModal) return;
    event.preventDefault();
    const close = build("button", { type: "button", autofocus: "" }, words.close);
    close.addEventListener("click", () => zoomed.close());
    const caption = opener.closest("figure").querySelector("figcaption").textContent;
    const { currentSrc, alt } = opener.querySelector("img"); // the light or the dark look
    const picture = build("div", { class: "picture", tabindex: "0" }, build("img", { src: currentSrc || opener.href, alt }));
    zoomed.replaceChildren(close, picture, build("p", {}, caption));
    zoomed.setAttribute("aria-label", caption);
    zoomed.isConnected || document.body.append(zoomed);
    zoomed.showModal();
  });
}
zoomed.addEventListener("click", (event) => event.target === zoomed && zoomed.close());

link.live = true;
