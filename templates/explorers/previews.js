// A citation shows its source, a reference its figure or table, while one points at it or has it in focus.
// Quarto's own pages do this with a script of theirs.
const preview = build("div", { class: "preview", id: "preview", role: "tooltip", hidden: "" });
let shownFor = null;
let leaving = 0;

const previewOf = (target) => {
  if (target.matches(".csl-entry")) return [...target.cloneNode(true).childNodes];
  const caption = target.querySelector("figcaption, caption");
  if (!caption) return null;
  const text = build("p", {}, caption.textContent);
  const picture = target.matches("figure") && target.querySelector("img");
  if (!picture) return [text];
  const copy = build("img", { src: picture.currentSrc || picture.src, alt: "" });
  copy.addEventListener("load", () => shownFor && placePreview()); // its height is known now
  return [copy, text];
};

const hidePreview = () => {
  clearTimeout(leaving);
  shownFor?.removeAttribute("aria-describedby");
  shownFor = null;
  preview.hidden = true;
};

const showPreview = (anchor) => {
  const target = document.getElementById(anchor.hash.slice(1));
  const content = target && previewOf(target);
  if (!content) return; // one that is still shown leaves in its time
  hidePreview();
  preview.replaceChildren(...content);
  preview.isConnected || anchor.closest("main").append(preview);
  preview.hidden = false;
  shownFor = anchor;
  anchor.setAttribute("aria-describedby", preview.id);
  placePreview();
};

// Below the link, or above it where there is no room below.
const placePreview = () => {
  const at = shownFor.getBoundingClientRect();
  const low = at.bottom + preview.offsetHeight + 6 < document.documentElement.clientHeight;
  preview.style.left = `${clamp(at.left, 8, document.documentElement.clientWidth - preview.offsetWidth - 8) + window.scrollX}px`;
  preview.style.top = `${(low ? at.bottom + 6 : at.top - preview.offsetHeight - 6) + window.scrollY}px`;
};

const leaveSoon = () => {
  leaving = setTimeout(hidePreview, 250);
};

if (!window.tippy) {
  for (const anchor of document.querySelectorAll("main a[href^='#ref-'], main a.quarto-xref")) {
    anchor.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && showPreview(anchor));
    anchor.addEventListener("pointerleave", leaveSoon);
    anchor.addEventListener("focus", () => showPreview(anchor));
    anchor.addEventListener("blur", hidePreview);
    anchor.addEventListener("click", hidePreview);
  }
  preview.addEventListener("pointerenter", () => clearTimeout(leaving));
  preview.addEventListener("pointerleave", leaveSoon);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hidePreview());
}
