// Open the form for an explanation or a comment; a comment is on the token or row being read.
import { markAt } from "./marks.js";

export function explain() {
  return open(document.getElementById("explain"));
}

export function comment() {
  const summary = document.getElementById("comment");
  if (!summary) return false;
  offer(document.getElementById("place"));
  return open(summary);
}

function open(summary) {
  if (!summary) return false;
  summary.parentElement.open = true;
  summary.parentElement.querySelector("textarea").focus();
  return true;
}

function offer(select) {
  const row = document.activeElement?.closest(".row") ?? document.querySelector(".row:hover");
  const place = row && new URL(row.querySelector(".value").href).searchParams.get("ex");
  if (!place) return;
  const mark = markAt(row.querySelector(".at"));
  const choice = mark ? [`${place}:${mark.position}`, `token ${mark.position} of context ${place.split(".")[0]}`] : [place, `example ${place}`];
  const [value, label] = choice;
  if (![...select.options].some((option) => option.value === value)) select.add(new Option(label, value));
  select.value = value;
}
