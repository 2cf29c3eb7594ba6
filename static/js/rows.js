// Reading by keyboard: all examples are one tab stop, arrows move inside.
import { markAt, marksOf, peakOf } from "./marks.js";
import { dim, inWords, light, litMark, place } from "./spotlight.js";

const rows = [...document.querySelectorAll(".row")];
let byKeyboard = false;

export function startRows() {
  for (const row of rows) {
    row.tabIndex = -1;
    row.querySelector(".value").tabIndex = -1;
  }
  if (rows[0]) rows[0].tabIndex = 0;
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", () => { byKeyboard = false; });
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches(".row:focus-visible")) read(target, firstOf(target));
  });
  readLinked();
  addEventListener("scroll", () => { if (byKeyboard) place(); else dim(); }, { passive: true });
}

export function openOrClose(row) {
  row.classList.toggle("open");
  if (location.hash === `#${row.id}`) history.replaceState(null, "", location.pathname + location.search);
  place();
}

export function goTo(row) {
  if (!row) return;
  for (const each of rows) each.tabIndex = -1;
  row.tabIndex = 0;
  byKeyboard = true;
  row.focus({ preventScroll: true, focusVisible: true });
  row.scrollIntoView({ block: "nearest" });
  read(row, peakOf(row));
}

function read(row, mark) {
  byKeyboard = true;
  if (!mark) return;
  light(mark);
  document.getElementById("say").textContent = inWords(mark);
}

// A token that the address points at is described at once.
function readLinked() {
  const row = document.getElementById("token")?.closest(".row");
  if (row) read(row, firstOf(row));
}

function firstOf(row) {
  marksOf(row);
  const token = row.querySelector("#token");
  return token ? markAt(token.querySelector("b, .mark")) : peakOf(row);
}

function onKey(event) {
  if (event.metaKey || event.ctrlKey || event.altKey || event.target.matches("input, textarea, select, dialog *")) return;
  const row = document.activeElement.closest(".row");
  const act = row ? IN_A_ROW[event.key] : event.key === "ArrowDown" && litMark() === null && enter;
  if (event.key === "Escape") dim();
  else if (act && act(row) !== false) event.preventDefault();
}

const IN_A_ROW = {
  ArrowDown: (row) => goTo(rows[rows.indexOf(row) + 1]),
  ArrowUp: (row) => goTo(rows[rows.indexOf(row) - 1]),
  ArrowRight: (row) => step(row, isRtl(row) ? -1 : 1),
  ArrowLeft: (row) => step(row, isRtl(row) ? 1 : -1),
  Enter: (row) => (document.activeElement === row ? openOrClose(row) : false),
};

// From elsewhere, ↓ enters the examples only when one of them is in sight.
function enter() {
  const seen = rows.find((row) => row.getBoundingClientRect().top > 100);
  if (!seen || seen.getBoundingClientRect().top > innerHeight || document.activeElement !== document.body) return false;
  return goTo(seen);
}

function isRtl(row) {
  return row.querySelector("p").dir === "rtl";
}

function step(row, by) {
  const marks = marksOf(row);
  const from = litMark()?.row === row ? litMark() : peakOf(row);
  let at = from.index + by;
  while (marks[at] && !marks[at].elements[0]?.getClientRects().length) at += by;
  if (marks[at]) read(row, marks[at]);
}
