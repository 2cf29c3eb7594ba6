import { chip, line, node } from "./card.js";
import { effectInWords, effectLines, signed } from "./effects.js";

// The mark being read: outlined, described in a small card, its activation marked on the histogram.
const card = document.getElementById("tip");
const main = document.querySelector(".latent");
const SMALL = matchMedia("(max-width: 860px)");
let lit = null;
let lastTop = 0; // of the row read before, on the page
let above = true;

export function litMark() {
  return lit;
}

export function light(mark) {
  if (mark === lit) return;
  dim();
  lit = mark;
  lookAhead(mark.row);
  for (const element of mark.elements) element.classList.add("at");
  card.replaceChildren(...description(mark));
  card.hidden = false;
  place();
  pointOut(Number(mark.activation));
}

export function dim() {
  if (!lit) return;
  for (const element of lit.elements) element.classList.remove("at");
  lit = null;
  card.hidden = true;
  pointOut(0);
}

export function place() {
  if (!lit || SMALL.matches) return;
  const box = lit.elements[0].getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = card;
  const left = box.left + box.width / 2 - width / 2;
  const below = box.bottom + 6;
  const over = box.top - height - 6;
  const fitsBelow = below + height <= innerHeight;
  const isAbove = above ? over >= 8 || !fitsBelow : !fitsBelow;
  card.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, left))}px`;
  card.style.top = `${isAbove ? Math.max(8, over) : below}px`;
}

// The rows one is about to read stay free: reading downwards, the card stands above.
function lookAhead(row) {
  const top = row.getBoundingClientRect().top + scrollY;
  if (top !== lastTop) above = top > lastTop;
  lastTop = top;
}

// A word on what was just done, in the card where there is one.
export function note(text) {
  document.getElementById("say").textContent = text;
  if (lit) card.append(line("", node("span", text)));
  place();
}

export function inWords(mark) {
  return `${written(mark).trim() || "blank"}: activation ${mark.activation}, position ${mark.position}${effectInWords(mark)}`;
}

function description(mark) {
  const share = Math.round((100 * Number(mark.activation)) / Number(main.dataset.top));
  const ofTop = Number(mark.activation) ? `${Math.max(1, share)}\u202f% of ${Number(main.dataset.top) < 0 ? "min" : "max"}` : "silent";
  const ids = mark.ids.length > 1 ? `${mark.ids.length} tokens` : `id ${mark.ids[0]}`;
  const where = `position ${mark.position} · context ${mark.row.dataset.context}`;
  return [
    line("", chip(written(mark)), node("strong", mark.activation), node("span", ofTop)),
    line("", node("span", `${ids} · ${where}`)),
    ...mark.parts.map(([text, activation], index) =>
      line("part", chip(text), node("span", `id ${mark.ids[index]}`), node("strong", activation))),
    ...sourceLines(mark.sources ?? []),
    ...effectLines(mark),
    ...(SMALL.matches ? [line("", link(mark))] : []),
  ];
}

// Where attention brought the activation from, strongest first.
function sourceLines(sources) {
  return sources.map(([text, back, contribution], index) =>
    line("source", node("span", index ? "" : "Attention from"), chip(text),
      node("span", back ? `\u2212${back}` : "itself"), node("strong", signed(contribution, 2))));
}

function link(mark) {
  const element = node("a", "Link to this token");
  element.href = linkTo(mark);
  return element;
}

export function linkTo(mark) {
  const url = new URL(mark.row.querySelector(".value").getAttribute("href"), location);
  url.searchParams.set("tok", mark.position);
  return url.href;
}

function written(mark) {
  return mark.elements.map((element) => element.textContent).join("");
}

function pointOut(activation) {
  const top = Number(main.dataset.top);
  const share = Math.min(100, (100 * activation) / top);
  const at = activation ? (top < 0 ? 100 - share : share) : -9;
  const marker = document.querySelector(".hist .mk");
  for (const name of ["x1", "x2"]) marker?.setAttribute(name, at);
}
