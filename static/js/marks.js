import { NO_EFFECT, effectsOf } from "./effects.js";

// A row arrives as text and the lengths of its marks; it is split into elements when it is first read.
// A mark is what is drawn as one piece: a token, or the tokens that make up one character.
const byRow = new WeakMap();
const byElement = new WeakMap();

export function marksOf(row) {
  if (!byRow.has(row)) byRow.set(row, split(row));
  return byRow.get(row);
}

// A row whose text was drawn anew is split again.
export function forget(row) {
  byRow.delete(row);
}

export function markAt(element) {
  return byElement.get(element?.closest("b, .mark"));
}

export function peakOf(row) {
  return peakIn(marksOf(row));
}

function peakIn(marks) {
  return marks.find((mark) => mark.elements[0]?.classList.contains("k")) ?? marks[0];
}

function split(row) {
  const text = row.querySelector("p");
  const told = tokensOf(row, text);
  const marks = described(row, { ...told, e: text.dataset.e });
  const walk = { marks, lengths: told.n.split(" ").map(Number), at: 0, taken: 0 };
  skipEmpty(walk);
  for (const node of [...text.childNodes]) visit(node, walk);
  for (const mark of marks) for (const element of mark.elements) byElement.set(element, mark);
  const peak = peakIn(marks);
  if (peak && text.dataset.s) peak.sources = JSON.parse(text.dataset.s);
  return marks;
}

// Of rows that show the same context, the first tells its tokens.
function tokensOf(row, text) {
  if (text.dataset.n !== undefined) return text.dataset;
  return document.querySelector(`.row[data-context="${row.dataset.context}"] p[data-n]`).dataset;
}

// What is known of each mark, before its elements are found.
function described(row, { t, o, g, e }) {
  const parts = g ? JSON.parse(g) : {};
  const effects = e === undefined ? null : effectsOf(row, e);
  let position = Number(o);
  return (t ? t.split(" ") : []).map((tokens, index) => {
    const ids = tokens.split("+");
    const mark = { row, index, position, ids, parts: parts[index] ?? [], activation: "0", elements: [] };
    if (effects) mark.effect = effects.get(index) ?? NO_EFFECT;
    position += ids.length;
    return mark;
  });
}

function visit(node, walk) {
  if (node.nodeType === Node.TEXT_NODE) cut(node, walk);
  else if (node.tagName === "B") whole(node, walk);
  else for (const child of [...node.childNodes]) visit(child, walk);
}

function whole(element, walk) {
  const mark = walk.marks[walk.at];
  mark.activation = element.dataset.a ?? "0"; // the peak of a silent row
  mark.elements.push(element);
  advance(walk);
}

function cut(text, walk) {
  let rest = text;
  while (rest?.data.length && walk.at < walk.marks.length) {
    const wanted = walk.lengths[walk.at] - walk.taken;
    const following = rest.data.length > wanted ? rest.splitText(wanted) : null;
    walk.taken += rest.data.length;
    walk.marks[walk.at].elements.push(wrap(rest));
    if (walk.taken >= walk.lengths[walk.at]) advance(walk);
    rest = following;
  }
}

function wrap(text) {
  const element = document.createElement("span");
  element.className = "mark";
  text.replaceWith(element);
  element.append(text);
  return element;
}

function advance(walk) {
  walk.at += 1;
  walk.taken = 0;
  skipEmpty(walk);
}

function skipEmpty(walk) {
  while (walk.lengths[walk.at] === 0) walk.at += 1;
}
