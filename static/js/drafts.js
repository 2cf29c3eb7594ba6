// What is typed and not yet saved survives a closed tab; the server names what it has kept.
const PREFIX = "featureviz-draft:";

export function startDrafts() {
  forget();
  for (const area of document.querySelectorAll("textarea[data-draft]")) keep(area);
}

function forget() {
  const saved = document.cookie.match(/(?:^|; )saved="?([^;"]*)"?/);
  if (!saved) return;
  localStorage.removeItem(PREFIX + decodeURIComponent(saved[1]));
  document.cookie = "saved=; max-age=0; path=/; samesite=strict";
}

function keep(area) {
  const key = `${location.pathname}#${area.dataset.draft}`;
  const form = area.form;
  const version = form.elements.version;
  form.append(hidden("draft", key));
  const draft = read(key);
  if (draft && draft.text !== area.value) restore(area, version, key, draft);
  area.addEventListener("input", () => {
    const text = area.value;
    if (text === area.defaultValue || !text.trim()) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify({ text, version: version?.value }));
  });
}

// The version it was written over comes back with it: a change made meanwhile is then noticed.
function restore(area, version, key, draft) {
  area.value = draft.text;
  if (version && draft.version) version.value = draft.version;
  area.closest("details")?.setAttribute("open", "");
  const note = document.createElement("p");
  const discard = document.createElement("button");
  note.className = "draft";
  note.textContent = "Your draft, not saved yet. ";
  discard.type = "button";
  discard.textContent = "Discard";
  discard.addEventListener("click", () => {
    localStorage.removeItem(PREFIX + key);
    area.form.reset();
    note.remove();
  });
  note.append(discard);
  area.after(note);
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key));
  } catch {
    return null;
  }
}

function hidden(name, value) {
  const input = document.createElement("input");
  input.type = "hidden";
  input.name = name;
  input.defaultValue = value;
  return input;
}
