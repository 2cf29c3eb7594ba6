// The same token in every line of a context: pointed at in one, it is outlined and described in all.
import { chip, line, node } from "./card.js";
import { markAt, marksOf } from "./marks.js";

const texts = document.querySelector(".same-text");
const card = document.getElementById("tip");
const SMALL = matchMedia("(max-width: 860px)");
let lit = [];

if (texts) {
  const rows = [...texts.querySelectorAll(".row")];
  for (const row of rows) row.tabIndex = -1;
  if (rows[0]) rows[0].tabIndex = 0;
  texts.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") light(under(event)); });
  texts.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") dim(); });
  texts.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (!row || event.target.closest("a") || String(getSelection())) return;
    const mark = under(event);
    if (event.pointerType === "touch" && mark && !lit.includes(mark)) light(mark);
    else for (const each of siblings(row)) each.classList.toggle("open");
  });
  texts.addEventListener("focusin", ({ target }) => {
    if (target.matches(".row:focus-visible")) light(peakOf(target));
  });
  texts.addEventListener("keydown", (event) => onKey(event, rows));
  addEventListener("scroll", () => { if (!document.activeElement.closest(".row")) dim(); }, { passive: true });
}

function siblings(row) {
  return [...row.parentElement.querySelectorAll(".row")];
}

function under({ target, clientX, clientY }) {
  const row = target.closest?.(".row");
  if (!row) return null;
  siblings(row).forEach(marksOf); // splitting a row moves its text into new elements
  return markAt(document.elementFromPoint(clientX, clientY));
}

function peakOf(row) {
  const marks = marksOf(row);
  return marks.find((mark) => mark.elements[0]?.classList.contains("k")) ?? marks[0];
}

function light(mark) {
  if (mark && lit.includes(mark)) return;
  dim();
  if (!mark) return;
  lit = siblings(mark.row).map((row) => marksOf(row)[mark.index]);
  for (const each of lit) for (const element of each.elements) element.classList.add("at");
  card.replaceChildren(...description(mark));
  card.hidden = false;
  place(mark);
  document.getElementById("say").textContent = card.innerText;
}

function dim() {
  for (const mark of lit) for (const element of mark.elements) element.classList.remove("at");
  lit = [];
  card.hidden = true;
}

function description(mark) {
  const text = mark.elements.map((element) => element.textContent).join("");
  return [
    line("", chip(text), node("span", `position ${mark.position} · context ${mark.row.dataset.context}`)),
    ...lit.map((each) => line("", node("span", each.row.dataset.letter), node("strong", each.activation), node("span", share(each)))),
  ];
}

function share({ activation, row }) {
  const percent = Math.round((100 * Number(activation)) / Number(row.dataset.top));
  return Number(activation) ? `${Math.max(1, percent)}\u202f% of its strongest` : "silent";
}

// Below the last line of the context, above the first when there is no room: never over a line.
function place(mark) {
  if (SMALL.matches) return;
  const box = mark.elements[0].getBoundingClientRect();
  const all = mark.row.parentElement.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = card;
  card.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, box.left + box.width / 2 - width / 2))}px`;
  card.style.top = `${all.bottom + height > innerHeight ? Math.max(8, all.top - height) : all.bottom}px`;
}

function onKey(event, rows) {
  const row = event.target.closest(".row");
  if (!row || event.metaKey || event.ctrlKey || event.altKey) return;
  const at = rows.indexOf(row);
  if (event.key === "ArrowDown") goTo(rows[at + 1]);
  else if (event.key === "ArrowUp") goTo(rows[at - 1]);
  else if (event.key === "ArrowRight" || event.key === "ArrowLeft") step(row, event.key === "ArrowRight" ? 1 : -1);
  else if (event.key === "Enter") for (const each of siblings(row)) each.classList.toggle("open");
  else if (event.key === "Escape") dim();
  else return;
  event.preventDefault();
}

function goTo(row) {
  if (!row) return;
  for (const each of texts.querySelectorAll(".row")) each.tabIndex = -1;
  row.tabIndex = 0;
  row.focus({ focusVisible: true });
  light(peakOf(row));
}

function step(row, by) {
  const marks = marksOf(row);
  const towards = row.querySelector("p").dir === "rtl" ? -by : by;
  let at = (lit.find((mark) => mark.row === row) ?? peakOf(row)).index + towards;
  while (marks[at] && !marks[at].elements[0]?.getClientRects().length) at += towards;
  if (marks[at]) light(marks[at]);
}
