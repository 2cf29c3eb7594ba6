// A row may have several strong tokens; the next one is put in the column, round and round.
import { pickOut } from "./histogram.js";
import { forget, peakOf } from "./marks.js";
import { dim, light, litMark } from "./spotlight.js";

export function startPeaks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".more");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    turn(link.closest(".row"), link);
  });
}

// The row that is read, by its key.
export function turnRead() {
  const row = document.activeElement.closest(".row") ?? litMark()?.row;
  const link = row?.querySelector(".more");
  return link ? void turn(row, link) : false;
}

async function turn(row, link) {
  const fresh = await ask(new URL(link.href));
  if (!fresh) return location.assign(link.href);
  dim();
  redraw(row, fresh);
  advance(link, row.dataset.context);
  pickOut();
  light(peakOf(row));
}

async function ask(url) {
  try {
    const reply = await fetch(`${url.pathname}/row${url.search}`);
    return new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("ex");
  } catch {
    return null; // the server is away
  }
}

// Effects are told by one row of each context: what this one told must stay.
function redraw(row, fresh) {
  const [old, text] = [row, fresh].map((each) => each.querySelector("p"));
  if (text.dataset.e === "" && old.dataset.e) text.dataset.e = old.dataset.e;
  for (const part of ["p", ".value"]) row.querySelector(part).replaceWith(document.adoptNode(fresh.querySelector(part)));
  row.querySelector(".value").tabIndex = -1;
  forget(row);
}

function advance(link, context) {
  const [shown, ...rest] = link.dataset.at.split(" ");
  link.dataset.at = [...rest, shown].join(" ");
  const url = new URL(link.href);
  url.searchParams.set("ex", `${context}.${rest[0]}`);
  link.href = url;
}
