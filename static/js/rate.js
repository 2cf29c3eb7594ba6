// Rating by keys: a digit answers the question at hand and goes on to the next. Answers are kept as
// a draft while one writes, so a closed tab loses nothing.
const form = document.getElementById("rating");
const kept = document.getElementById("kept");
const questions = [...document.querySelectorAll(".question")].sort(
  (one, other) => Number(one.dataset.order) - Number(other.dataset.order),
);
const PAUSE = 800; // milliseconds without a change
let timer = 0;
let leaving = false;

if (form && !form.querySelector("fieldset").disabled) start();

function start() {
  form.addEventListener("input", () => { skipGap(); mark(current()); keepSoon(); });
  form.addEventListener("submit", () => { leaving = true; clearTimeout(timer); });
  form.addEventListener("focusin", ({ target }) => mark(target.closest(".question") ?? current()));
  document.addEventListener("keydown", onKey);
  addEventListener("pagehide", () => { if (timer && !leaving) send(); });
  mark(current());
}

function onKey(event) {
  const at = /^Digit([0-5])$/.exec(event.code);
  if (!at || event.metaKey || event.ctrlKey || event.altKey || event.shiftKey) return;
  if (!document.getElementById("single-keys").checked || document.getElementById("keys").open) return;
  if (event.target.matches("textarea, select, input:not([type=radio])")) return;
  const question = event.target.closest(".question") ?? current();
  const choice = question?.querySelector(`input[value="${at[1]}"]`);
  if (!choice) return;
  event.preventDefault();
  choice.checked = true;
  choice.dispatchEvent(new Event("input", { bubbles: true }));
  goTo(questions.slice(questions.indexOf(question) + 1).find((each) => !answered(each)) ?? current());
}

function goTo(question) {
  const target = question?.querySelector("input") ?? form.querySelector("[value=submit]");
  target.focus({ preventScroll: true });
  (question?.closest(".group") ?? target).scrollIntoView({ block: "nearest" });
  mark(question);
}

function current() {
  return questions.find((each) => !answered(each)) ?? null;
}

function answered(question) {
  return question.querySelector(":checked") !== null;
}

function mark(question) {
  for (const each of questions) each.classList.toggle("now", each === question);
}

// Where all logits agree there is no gap to rate.
function skipGap() {
  if (form.elements.logits.value === "3") form.elements.gap.value = "0";
}

function keepSoon() {
  clearTimeout(timer);
  kept.textContent = "";
  timer = setTimeout(send, PAUSE);
}

async function send() {
  timer = 0;
  const data = new FormData(form);
  data.set("do", "autosave");
  try {
    const reply = await fetch(location.href, { method: "POST", body: data, keepalive: true });
    if (!leaving) kept.textContent = reply.ok ? "Draft kept" : "The draft was not kept";
  } catch {
    kept.textContent = "The draft was not kept: the server is away";
  }
}
