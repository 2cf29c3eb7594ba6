// What taking the latent out does to a token: numbers from the row, words for the card.
// An effect is log p(token) with the latent minus without it: above 0, the latent helped.
import { chip, line, node } from "./card.js";

export const NO_EFFECT = Object.freeze({ total: 0, direct: 0, kl: 0, risen: [], fallen: [] });

const page = document.querySelector(".groups")?.dataset ?? {};
const THOUSAND = 1000;
let words = null;

// A row's lists, by the number of their mark (featureviz/browse/effects.py writes them). Of rows that
// show the same context, the first has them.
export function effectsOf(row, own) {
  const text = own || document.querySelector(`.row[data-context="${row.dataset.context}"] p[data-e^="["]`).dataset.e;
  const found = new Map();
  let mark = -1;
  for (const [gap, ...numbers] of JSON.parse(text)) {
    mark += gap + 1;
    found.set(mark, effectOf(numbers));
  }
  return found;
}

function effectOf(numbers) {
  const total = numbers.shift() / THOUSAND;
  const direct = page.direct === "own" ? numbers.shift() / THOUSAND : page.direct === "same" ? total : null;
  const kl = numbers.shift() / THOUSAND;
  const changes = [];
  for (let at = 0; at < numbers.length; at += 2) changes.push([wordAt(numbers[at]), numbers[at + 1] / THOUSAND]);
  return { total, direct, kl, risen: changes.filter(([, by]) => by > 0), fallen: changes.filter(([, by]) => by < 0) };
}

function wordAt(number) {
  words ??= JSON.parse(page.words);
  return words[number];
}

export function effectInWords({ effect }) {
  if (!effect) return "";
  if (effect === NO_EFFECT) return `, no effect of ${page.least} nats`;
  const direct = effect.direct === null ? "" : `, direct ${signed(effect.direct)}`;
  return `, total effect ${signed(effect.total)}${direct} nats: without this latent ${likely(effect.total)}`;
}

export function effectLines({ effect, ids }) {
  if (!effect) return [];
  if (effect === NO_EFFECT) return [line("effect", node("span", `No effect of ${page.least} nats or more`))];
  return [
    nats("Total effect", effect.total),
    ...(effect.direct === null ? [] : [nats("Direct effect", effect.direct)]),
    line("", node("span", `KL ${effect.kl.toFixed(3)} nats`), node("span", ids.length > 1 ? "its most affected token" : "")),
    changes(effect),
  ];
}

function nats(name, effect) {
  const element = line("effect", node("span", name), node("strong", `${signed(effect)} nats`), node("span", likely(effect)));
  element.classList.toggle("hurt", effect < 0);
  return element;
}

function likely(effect) {
  if (Math.abs(effect) < 0.0005) return "as likely";
  return effect > 0 ? "less likely" : "more likely";
}

// Two columns: what becomes more probable without the latent, and what less.
function changes({ risen, fallen }) {
  const both = node("div", "");
  both.className = "changes";
  for (const [title, list] of [["Rises without it", risen], ["Falls without it", fallen]]) {
    const column = node("div", "");
    column.append(node("span", list.length ? title : ""), ...list.map(([text, by]) =>
      line("", chip(text), node("strong", points(by)))));
    both.append(column);
  }
  return both;
}

export function signed(number, decimals = 3) {
  const text = Math.abs(number).toFixed(decimals);
  if (!Number(text)) return text;
  return `${number < 0 ? "\u2212" : "+"}${text}`;
}

// Percentage points.
function points(change) {
  return `${signed(100 * change, 1)}\u202fpp`;
}
