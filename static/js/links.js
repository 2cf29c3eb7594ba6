// Addresses of what is being read: a token, else an example, else the page.
import { linkTo, litMark, note } from "./spotlight.js";

export async function copyLink() {
  const mark = litMark();
  await navigator.clipboard?.writeText(mark ? linkTo(mark) : here());
  note("Link copied");
  if (!mark) flash(document.querySelector("[data-copy=address]"));
}

function flash(button) {
  const name = button?.textContent;
  if (!button || name !== "Copy") return;
  button.textContent = "Link copied";
  setTimeout(() => { button.textContent = name; }, 1500);
}

function here() {
  const row = document.activeElement.closest(".row");
  return row ? new URL(row.querySelector(".value").getAttribute("href"), location).href : location.href;
}
