// The search box completes what is typed: a combobox with a list (ARIA 1.2). Plain without script.
const WAIT = 80; // ms without a key before the server is asked

export function startSearch() {
  const box = document.getElementById("q");
  if (!box) return;
  const list = document.getElementById("completions");
  const search = { box, list, options: [], at: -1, range: [0, 0], timer: 0, asked: null };
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);
  box.setAttribute("aria-expanded", "false");
  box.addEventListener("input", () => later(search));
  box.addEventListener("keydown", (event) => onKey(search, event));
  box.addEventListener("blur", () => close(search));
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
  list.addEventListener("click", (event) => {
    const row = event.target.closest("[role=option]");
    if (row) take(search, [...list.children].indexOf(row));
  });
}

function later(search) {
  clearTimeout(search.timer);
  search.timer = setTimeout(() => ask(search), WAIT);
}

async function ask(search) {
  const { box } = search;
  const typed = box.value;
  const query = new URLSearchParams({ q: typed, at: characters(typed, box.selectionStart) });
  const where = box.form.elements.where;
  if (where) query.set("where", where.value);
  search.asked?.abort();
  search.asked = new AbortController();
  if (!typed) return close(search);
  try {
    const reply = await fetch(`${box.dataset.complete}?${query}`, { signal: search.asked.signal });
    if (!reply.ok) return;
    const { start, end, options } = await reply.json();
    if (box.value === typed && document.activeElement === box) {
      search.range = [units(typed, start), units(typed, end)];
      show(search, options);
    }
  } catch (error) {
    if (error.name !== "AbortError") close(search); // no server: the form still works
  }
}

// The server counts characters, a script UTF-16 units.
function characters(text, at) {
  return [...text.slice(0, at)].length;
}

function units(text, at) {
  return [...text].slice(0, at).join("").length;
}

function show(search, options) {
  search.options = options;
  search.list.replaceChildren(...options.map(row));
  search.list.hidden = !options.length;
  search.box.setAttribute("aria-expanded", String(options.length > 0));
  point(search, -1);
}

function row({ text, hint }, at) {
  const item = document.createElement("li");
  item.id = `completion-${at}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  const value = document.createElement("bdi");
  value.textContent = text;
  const help = document.createElement("small");
  help.textContent = hint;
  item.append(value, " ", help);
  return item;
}

function point(search, at) {
  search.at = at;
  [...search.list.children].forEach((item, number) => {
    item.setAttribute("aria-selected", String(number === at));
  });
  const chosen = search.list.children[at];
  if (chosen) {
    search.box.setAttribute("aria-activedescendant", chosen.id);
    chosen.scrollIntoView({ block: "nearest" });
  } else search.box.removeAttribute("aria-activedescendant");
}

function close(search) {
  clearTimeout(search.timer);
  search.asked?.abort();
  if (!search.list.hidden) show(search, []);
}

function onKey(search, event) {
  const { options, at, list } = search;
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (list.hidden) {
    if (event.key === "ArrowDown") {
      ask(search);
      event.preventDefault();
    } else if (event.key === "Escape") search.box.blur();
    return;
  }
  const acts = {
    ArrowDown: () => point(search, at + 1 < options.length ? at + 1 : -1),
    ArrowUp: () => point(search, at < 0 ? options.length - 1 : at - 1),
    Escape: () => close(search),
    Tab: () => take(search, Math.max(at, 0)),
  };
  if (event.key === "Tab" && event.shiftKey) return;
  if (event.key === "Enter") {
    if (at < 0) return; // the form is sent
    acts.Enter = () => take(search, at);
  }
  if (acts[event.key]) {
    acts[event.key]();
    event.preventDefault();
  }
}

function take(search, at) {
  const { box, range } = search;
  const { text, whole } = search.options[at];
  const rest = box.value.slice(range[1]);
  const gap = whole && !rest.startsWith(" ") ? " " : "";
  box.value = `${box.value.slice(0, range[0])}${text}${gap}${rest}`;
  const cursor = range[0] + text.length + gap.length;
  box.setSelectionRange(cursor, cursor);
  close(search);
  if (!whole) ask(search);
}
