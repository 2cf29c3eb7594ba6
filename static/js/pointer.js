// Reading by mouse and by finger. A first tap describes a token, a second opens its row.
import { markAt, marksOf } from "./marks.js";
import { openOrClose } from "./rows.js";
import { dim, light, litMark } from "./spotlight.js";

export function startPointer() {
  const groups = document.querySelector(".groups");
  if (!groups) return;
  groups.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const mark = under(event);
    if (mark) light(mark);
    else dim();
  });
  groups.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") dim(); });
  groups.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (!row || event.target.closest("a") || String(getSelection())) return;
    const mark = under(event);
    if (event.pointerType === "touch" && mark && mark !== litMark()) light(mark);
    else openOrClose(row);
  });
  // the first click of two opened the row before a word was selected
  groups.addEventListener("dblclick", (event) => {
    const row = event.target.closest(".row");
    if (row && !event.target.closest("a") && String(getSelection())) openOrClose(row);
  });
  document.addEventListener("click", (event) => { if (!event.target.closest(".row, #tip")) dim(); });
}

function under({ target, clientX, clientY }) {
  const row = target.closest?.(".row");
  if (!row) return null;
  marksOf(row); // splitting a row moves its text into new elements; active tokens stay in theirs
  return markAt(target) ?? markAt(document.elementFromPoint(clientX, clientY));
}
