// The map as a plot: zoom, point at, choose. Without it the page has a picture and the same numbers.
import { chip, line, node } from "./card.js";
import { percent, showChosen, startChosen } from "./map_chosen.js";
import { plotLibrary } from "./plot_library.js";

const main = document.querySelector(".map");
const plot = document.getElementById("plot");
const card = document.getElementById("tip");
const { colour: firstColour, by } = main.dataset;
let colour = firstColour;
let points = null;
let byTouch = false;

try {
  const [Plotly, found] = await Promise.all([plotLibrary(main.dataset.plotly), fetchPoints()]);
  if (!document.createElement("canvas").getContext("webgl")) throw new Error("This browser gives the page no WebGL.");
  points = found;
  await draw(Plotly);
  startReading();
  startColours(Plotly);
  startModes(Plotly);
  startChosen(main.dataset, points, (chosen) => mark(Plotly, chosen));
} catch (error) {
  const said = document.getElementById("lost-plot");
  said.textContent = `${error.message} The picture and the table say the same, without zoom.`;
  said.hidden = false;
}

async function fetchPoints() {
  const reply = await fetch(main.dataset.points);
  if (!reply.ok) throw new Error("The points could not be read.");
  return reply.json();
}

// ---------- drawing ----------

async function draw(Plotly) {
  const { x, y } = points.layouts[by];
  const stage = node("div", "");
  stage.className = "stage";
  plot.replaceChildren(stage);
  plot.classList.add("drawn");
  const trace = {
    type: "scattergl", mode: "markers", x, y, hoverinfo: "none",
    marker: { ...coloured(), size: Math.max(3.5, Math.min(9, 320 / Math.sqrt(x.length))), opacity: 0.85 },
    unselected: { marker: { opacity: 0.12 } },
  };
  await Plotly.newPlot(stage, [trace], layout(), {
    scrollZoom: true, displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false,
  });
  document.getElementById("how").hidden = false;
}

function layout() {
  const axis = { visible: false, zeroline: false, showgrid: false };
  return {
    margin: { l: 8, r: 8, t: 8, b: 8 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    xaxis: axis, yaxis: { ...axis, scaleanchor: by === "pca" ? "x" : undefined },
    dragmode: "pan", hovermode: "closest", hoverdistance: 12, showlegend: false,
    newselection: { line: { color: inkOf("--ink"), width: 1.5, dash: "dot" } },
    annotations: colour === "cluster" ? names() : [],
  };
}

// Levels from −1 (never fired) on, each a flat colour of its legend.
function coloured() {
  const shades = shadesOf(colour);
  const steps = Math.max(1, shades.length - 1);
  return {
    color: points.levels[colour],
    cmin: -1, cmax: shades.length - 2,
    colorscale: shades.map((shade, at) => [at / steps, shade]),
  };
}

function shadesOf(name) {
  const [letter, count] = name === "cluster" ? ["h", 12] : ["m", 10];
  return ["--dead-point", ...Array.from({ length: count }, (_, at) => `--${letter}${at}`)].map(inkOf);
}

function inkOf(property) {
  const probe = node("i", "");
  probe.className = "probe";
  probe.style.color = `var(${property})`;
  main.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// A cluster's number stands amid its points: colour is not the only thing that tells clusters apart.
function names() {
  const { x, y } = points.layouts[by];
  const sums = new Map();
  points.cluster.forEach((cluster, at) => {
    const sum = sums.get(cluster) ?? [0, 0, 0];
    sums.set(cluster, [sum[0] + x[at], sum[1] + y[at], sum[2] + 1]);
  });
  const placed = [];
  for (const [cluster, [sumX, sumY, count]] of [...sums].sort(([a], [b]) => a - b)) {
    const at = { cluster, x: sumX / count, y: sumY / count };
    if (placed.every((other) => farApart(at, other, x, y))) placed.push(at);
  }
  return placed.map((at) => ({
    x: at.x, y: at.y, text: String(at.cluster), showarrow: false,
    font: { size: 13, color: inkOf("--ink") }, bgcolor: inkOf("--page"), borderpad: 2, opacity: 0.85,
  }));
}

// Names that would cover each other are left out, those of smaller clusters first.
function farApart(one, other, x, y) {
  return Math.abs(one.x - other.x) > 0.04 * span(x) || Math.abs(one.y - other.y) > 0.04 * span(y);
}

function span(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return high - low;
}

// Points that are listed keep their colour, the others fade; none listed: all as they are.
function mark(Plotly, chosen) {
  const change = { selectedpoints: [chosen.length ? chosen : null] };
  if (chosen.length) Plotly.restyle(plot.firstElementChild, change);
  else Plotly.update(plot.firstElementChild, change, { selections: [] }); // a lasso goes too
}

// ---------- reading ----------

function startReading() {
  const stage = plot.firstElementChild;
  stage.addEventListener("pointerdown", ({ pointerType }) => { byTouch = pointerType === "touch"; }, true);
  stage.on("plotly_hover", ({ points: [{ pointNumber }], event }) => describe(pointNumber, event));
  stage.on("plotly_unhover", () => { if (!byTouch) card.hidden = true; });
  stage.on("plotly_relayouting", () => { card.hidden = true; });
  stage.on("plotly_click", ({ points: [{ pointNumber }], event }) => open(pointNumber, event));
  stage.on("plotly_selected", (found) => {
    if (found?.points) showChosen(found.points.map(({ pointNumber }) => pointNumber), "Chosen on the map");
  });
  stage.on("plotly_deselect", () => showChosen([], ""));
  addEventListener("scroll", () => { card.hidden = true; }, { passive: true });
}

// A finger's first tap describes the point; the card leads to it.
function open(at, event) {
  if (byTouch) return describe(at, event);
  const address = `/${main.dataset.address}/${points.index[at]}`;
  if (event.ctrlKey || event.metaKey || event.button === 1) window.open(address);
  else location.assign(address);
}

function describe(at, event) {
  const link = node("a", `${main.dataset.address}/${points.index[at]}`);
  link.href = `/${main.dataset.address}/${points.index[at]}`;
  const fired = points.n_active[at] > 0;
  card.replaceChildren(
    line("", link, node("span", `cluster ${points.cluster[at]}`)),
    fired ? line("", node("span", "fires most on"), chip(points.top_token[at])) : line("", node("span", "never fired")),
    ...(points.promoted_token[at] ? [line("", node("span", "promotes most"), chip(points.promoted_token[at]))] : []),
    ...(fired ? [line("", node("span", "density"), node("strong", percent(points.density[at]))),
      line("", node("span", "maximum"), node("strong", String(points.max_activation[at])))] : []),
  );
  card.classList.toggle("touch", byTouch);
  card.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = card;
  const [x, y] = [event.clientX ?? 0, event.clientY ?? 0];
  card.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, x + 14))}px`;
  card.style.top = `${y + 14 + height > innerHeight ? Math.max(8, y - height - 14) : y + 14}px`;
}

// ---------- switches ----------

function startColours(Plotly) {
  document.getElementById("colours").addEventListener("click", (event) => {
    const link = event.target.closest("[data-colour]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    colour = link.dataset.colour;
    for (const each of document.querySelectorAll("#colours a")) {
      if (each === link) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
    for (const legend of document.querySelectorAll("[data-legend]")) legend.hidden = legend.dataset.legend !== colour;
    history.replaceState(null, "", link.href);
    paint(Plotly);
  });
  const again = () => paint(Plotly);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

function paint(Plotly) {
  const found = Object.entries(coloured()).map(([name, value]) => [`marker.${name}`, [value]]);
  Plotly.update(plot.firstElementChild, Object.fromEntries(found), { annotations: colour === "cluster" ? names() : [] });
}

function startModes(Plotly) {
  const bar = document.getElementById("modes");
  bar.hidden = false;
  bar.addEventListener("click", async ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const stage = plot.firstElementChild;
    if (button.dataset.do) return zoom(Plotly, stage, button.dataset.do);
    await Plotly.relayout(stage, { dragmode: button.dataset.mode });
    for (const each of bar.querySelectorAll("[data-mode]")) each.setAttribute("aria-pressed", String(each === button));
  });
}

function zoom(Plotly, stage, what) {
  if (what === "all") return Plotly.relayout(stage, { "xaxis.autorange": true, "yaxis.autorange": true });
  const factor = what === "in" ? 0.7 : 1 / 0.7;
  const change = {};
  for (const name of ["xaxis", "yaxis"]) {
    const [low, high] = stage._fullLayout[name].range;
    const [middle, half] = [(low + high) / 2, (factor * (high - low)) / 2];
    change[`${name}.range`] = [middle - half, middle + half];
  }
  return Plotly.relayout(stage, change);
}
