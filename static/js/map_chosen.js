// The list under the map: what was chosen there, to copy, to open, to compare.
import { chip, node } from "./card.js";

const MOST_LISTED = 200;
const MOST_COMPARED = 4;
const section = document.getElementById("chosen");
const rows = document.getElementById("chosen-rows");
let about = null;
let points = null;
let mark = null;
let chosen = [];

// `marked` is told, by their place in the data, which points to make stand out.
export function startChosen(data, found, marked) {
  about = data;
  points = found;
  mark = marked;
  document.getElementById("acts").hidden = false;
  section.addEventListener("click", ({ target }) => act(target.closest("button")?.dataset.do, target));
  section.addEventListener("change", tellPicked);
  const listed = [...rows.querySelectorAll("tr")].map((row) => points.index.indexOf(Number(row.dataset.index)));
  if (listed.length) {
    const cluster = points.cluster[listed[0]];
    show(points.index.map((_, at) => at).filter((at) => points.cluster[at] === cluster), `Cluster ${cluster}`);
    mark(chosen);
  }
}

export function showChosen(found, what) {
  show(found, what);
  if (found.length) section.querySelector("h2").scrollIntoView({ block: "nearest" });
}

function show(found, what) {
  chosen = [...found].sort((a, b) => points.density[b] - points.density[a] || points.index[a] - points.index[b]);
  section.hidden = !chosen.length;
  document.getElementById("chosen-what").textContent = what;
  const rest = chosen.length > MOST_LISTED ? `, the ${MOST_LISTED} densest listed` : "";
  const count = `${chosen.length.toLocaleString("en").replaceAll(",", "\u202f")} latent${chosen.length === 1 ? "" : "s"}${rest}`;
  document.getElementById("chosen-count").textContent = count;
  document.getElementById("say").textContent = chosen.length ? `${what}: ${count}` : "Nothing chosen";
  rows.replaceChildren(...chosen.slice(0, MOST_LISTED).map(row));
  tellPicked();
}

function row(at) {
  const line = document.createElement("tr");
  const fired = points.n_active[at] > 0;
  const link = node("a", String(points.index[at]));
  link.className = "strong";
  link.href = `/${about.address}/${points.index[at]}`;
  const box = document.createElement("input");
  Object.assign(box, { type: "checkbox", value: String(points.index[at]), ariaLabel: `Compare ${points.index[at]}` });
  line.append(
    cell("", box, " ", link),
    cell("", fired ? chip(points.top_token[at]) : node("span", "never fired")),
    cell("", points.promoted_token[at] ? chip(points.promoted_token[at]) : ""),
    cell("n", fired ? percent(points.density[at]) : "0"),
    cell("n", fired ? points.max_activation[at].toPrecision(4) : "0"),
    cell("n", String(points.cluster[at])),
  );
  return line;
}

function cell(name, ...children) {
  const element = document.createElement("td");
  element.className = name;
  element.append(...children);
  return element;
}

export function percent(share) {
  const hundredth = 100 * share;
  return `${Number(hundredth.toPrecision(hundredth < 1 ? 3 : 2))}\u202f%`;
}

function picked() {
  return [...rows.querySelectorAll("input:checked")].map((box) => box.value);
}

function tellPicked() {
  const marked = picked();
  section.querySelector("[data-do=compare]").disabled = marked.length < 2;
  for (const box of rows.querySelectorAll("input:not(:checked)")) box.disabled = marked.length >= MOST_COMPARED;
  document.getElementById("picked").textContent = marked.length
    ? `${marked.length} marked${marked.length < 2 ? "; one more at least" : ""}`
    : "Mark two to four to compare them.";
}

async function act(what, button) {
  if (what === "compare") {
    const query = new URLSearchParams(picked().map((index, at) => ["abcd"[at], `${about.address}/${index}`]));
    location.assign(`${about.compare}?${query}`);
  }
  if (what === "clear") {
    show([], "");
    mark([]);
  }
  if (what === "copy") {
    await navigator.clipboard.writeText(chosen.map((at) => `${about.address}/${points.index[at]}`).join("\n"));
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy addresses"; }, 1500);
  }
}
