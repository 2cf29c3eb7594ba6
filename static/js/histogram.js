// A bar of the histogram says its bounds and its exact count; chosen, it also picks its tokens out
// of the examples. All bars are one tab stop, arrows move between them.
const plot = document.querySelector(".hist");
const readout = document.getElementById("readout");
const main = document.querySelector(".latent");
const bars = plot ? [...plot.querySelectorAll("a")] : [];
const STEPS = { ArrowRight: 1, ArrowLeft: -1, PageUp: 5, PageDown: -5, Home: -Infinity, End: Infinity };
let silent = "";
let chosen = null;

export function startHistogram() {
  if (!bars.length) return;
  silent = readout.textContent;
  bars[0].setAttribute("tabindex", "0");
  const panel = plot.parentElement; // listening itself, a plot would be a tab stop of its own
  panel.addEventListener("pointerover", ({ target }) => tell(barOf(target)));
  panel.addEventListener("pointerleave", () => tell(null));
  panel.addEventListener("focusin", ({ target }) => { enter(barOf(target)); tell(barOf(target)); });
  panel.addEventListener("focusout", () => tell(null));
  panel.addEventListener("click", onClick);
  panel.addEventListener("keydown", onKey);
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") choose(null); });
}

function onClick(event) {
  const bar = barOf(event.target);
  if (!bar) return;
  if (bar === chosen) event.preventDefault(); // the second click only lets go
  choose(bar === chosen ? null : bar);
}

function onKey(event) {
  const bar = barOf(event.target), by = STEPS[event.key];
  if (!bar || by === undefined) return;
  event.preventDefault();
  bars[Math.max(0, Math.min(bars.length - 1, bars.indexOf(bar) + by))].focus();
}

function barOf(element) {
  return element.closest(".hist a");
}

// The tokens of the chosen bar, again: rows may have been drawn anew.
export function pickOut() {
  if (!chosen) return;
  const [low, high] = bounds(chosen);
  for (const token of document.querySelectorAll(".row b[data-a]")) {
    const activation = Number(token.dataset.a);
    token.classList.toggle("in", low < activation && activation <= high);
  }
}

function choose(bar) {
  chosen?.classList.remove("on");
  chosen = bar;
  if (!bar) {
    delete main.dataset.bin;
    return tell(null);
  }
  bar.classList.add("on");
  main.dataset.bin = "chosen";
  pickOut();
  tell(null);
  document.getElementById("say").textContent = readout.textContent;
}

function enter(bar) {
  if (!bar) return;
  for (const each of bars) each.setAttribute("tabindex", each === bar ? "0" : "-1");
}

function tell(bar) {
  readout.textContent = bar ? said(bar) : chosen ? `${said(chosen)}; ${shown()} on this page` : silent;
}

function said(bar) {
  return bar.querySelector("title").textContent;
}

function shown() {
  return document.querySelectorAll(".row b.in").length;
}

// Bars are equally wide, from 0 to the extreme or from the extreme to 0; as shown, tokens are rounded.
function bounds(bar) {
  const top = Number(main.dataset.top);
  const width = Math.abs(top) / bars.length;
  const low = Math.min(0, top) + bars.indexOf(bar) * width;
  const rounding = Math.abs(top) / 20000;
  return [low + rounding, low + width + rounding];
}
