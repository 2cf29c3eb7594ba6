// Copying: an address by its button, a group by its button, and selected rows as they are seen.
import { marksOf } from "./marks.js";

export function startCopy() {
  document.addEventListener("copy", onCopy);
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy], [data-copy-rows]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(textFor(button.dataset));
      button.textContent = "Copied";
      document.getElementById("say").textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}

function textFor({ copy, copyRows }) {
  if (copy) return (document.getElementById(copy).value ?? document.getElementById(copy).textContent).trim();
  const rows = [...document.querySelectorAll(`#${copyRows} .row`)];
  return rows.map((row) => seen(row, () => true)).join("\n");
}

// One row is copied as any text; of several, each is a line: its activation, then what is in sight.
function onCopy(event) {
  const selection = getSelection();
  const rows = [...document.querySelectorAll(".row")].filter((row) => selection.containsNode(row, true));
  if (rows.length < 2) return;
  const lines = rows.map((row) => seen(row, (element) => selection.containsNode(element, true)))
    .filter((line) => !line.endsWith("\t"));
  if (lines.length < 2) return; // the second is only touched
  event.clipboardData.setData("text/plain", lines.join("\n"));
  event.preventDefault();
}

function seen(row, isMeant) {
  const numbers = row.closest("[data-num=on]");
  const text = marksOf(row).flatMap((mark) => mark.elements.filter((element) => isMeant(element) && isSeen(element)).map((element) =>
    `${element.textContent}${numbers && element.dataset.a ? `[${element.dataset.a}]` : ""}`));
  return `${row.querySelector(".value").textContent}\t${text.join("")}`;
}

function isSeen(element) {
  const frame = element.closest(".a, .c").getBoundingClientRect();
  const clips = getComputedStyle(element.closest(".a, .c")).overflowX !== "visible";
  return [...element.getClientRects()].some(({ left, right }) =>
    !clips || (right - frame.left > 1 && frame.right - left > 1));
}
