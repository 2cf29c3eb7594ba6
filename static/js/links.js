// Addresses of what is being read: a token, else an example, else the page.
import { linkTo, litMark, note } from "./spotlight.js";

export async function copyLink() {
  const mark = litMark();
  await navigator.clipboard?.writeText(mark ? linkTo(mark) : here());
  note("Link copied");
}

function here() {
  const row = document.activeElement.closest(".row");
  return row ? new URL(row.querySelector(".value").getAttribute("href"), location).href : location.href;
}
