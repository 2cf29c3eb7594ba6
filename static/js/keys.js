// Keys for the whole page. Those of one letter, digit or sign can be switched off (WCAG 2.1.4).
import { copyLink } from "./links.js";
import { turnRead } from "./peaks.js";
import { goTo } from "./rows.js";
import { cycle, flip } from "./switches.js";
import { step } from "./table.js";
import { comment, explain } from "./write.js";

const STORED = "featureviz-single-keys";

export function startKeys() {
  const dialog = document.getElementById("keys");
  const box = document.getElementById("single-keys");
  const button = document.querySelector("[data-do=keys]");
  box.checked = localStorage.getItem(STORED) !== "off";
  box.addEventListener("change", () => localStorage.setItem(STORED, box.checked ? "on" : "off"));
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (!box.checked || event.metaKey || event.ctrlKey || event.altKey || dialog.open) return;
    if (event.target.matches("input, textarea, select")) return;
    const act = /^Digit\d$/.test(event.code) ? () => toGroup(event) : ACTS[event.key];
    if (act && act(dialog) !== false) event.preventDefault();
  });
}

const ACTS = {
  j: () => step(1) || press("a[rel=next]"),
  k: () => step(-1) || press("a[rel=prev]"),
  r: () => press("#any"),
  v: () => onLatent(() => cycle("view")),
  n: () => onLatent(() => flip("num")),
  s: () => enter("silent"),
  e: explain,
  c: comment,
  p: () => turnRead(),
  x: () => document.activeElement.closest(".group")?.querySelector("[data-copy-rows]")?.click() ?? false,
  y: () => void copyLink(),
  b: () => (document.querySelector("[data-set=under]") ? cycle("under") : false),
  "/": () => document.getElementById("q")?.focus(),
  "?": (dialog) => dialog.showModal(),
};

function press(selector) {
  document.querySelector(selector)?.click();
}

function onLatent(act) {
  return document.querySelector(".ladder") ? act() : false;
}

// 0: the strongest contexts; 1 to 9: that interval; Shift 0: interval 10
function toGroup({ code, shiftKey }) {
  const digit = code.at(-1);
  if (shiftKey && digit !== "0") return false;
  return enter(shiftKey ? "i10" : digit === "0" ? "top" : `i${digit}`);
}

function enter(id) {
  const group = document.getElementById(id);
  if (!group) return false;
  group.scrollIntoView();
  const row = group.querySelector(".row");
  if (row) goTo(row);
  return true;
}
