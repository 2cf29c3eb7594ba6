// A page that waits for a worker asks how its question stands, and shows the answer once it is there.
const OFTEN = 400;
const AFTER_SILENCE = 3000;

export function startAsking() {
  const waiting = document.querySelector("[data-ask]");
  if (waiting) setTimeout(ask, OFTEN, waiting);
  for (const box of document.querySelectorAll(".try-text textarea")) box.addEventListener("keydown", onKey);
}

// Enter runs the text; Shift+Enter breaks the line.
function onKey(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  event.target.form.requestSubmit();
}

async function ask(waiting) {
  let wait = OFTEN;
  try {
    const reply = await fetch(waiting.dataset.ask, { signal: AbortSignal.timeout(10000) });
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const fresh = page.querySelector(".asked");
    if (!fresh || !fresh.dataset.ask) return location.reload();
    waiting.replaceChildren(...fresh.childNodes);
  } catch {
    wait = AFTER_SILENCE; // the server is away; the question is kept
  }
  setTimeout(ask, wait, waiting);
}
