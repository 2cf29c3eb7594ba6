// While a run goes on its page keeps up with it; once the run is over it says so and stops.
const EVERY = 1000;
const AFTER_SILENCE = 3000;

const page = document.querySelector("[data-live]");
const stale = document.getElementById("stale");
const live = () => document.getElementById("live");
let heard = new Date();

next(EVERY);

function next(wait) {
  if (live().dataset.active === "yes") setTimeout(refresh, wait);
}

async function refresh() {
  if (document.hidden) return next(EVERY);
  const fresh = await ask();
  if (!fresh) return lost();
  heard = new Date();
  stale.hidden = true;
  show(fresh);
  next(EVERY);
}

async function ask() {
  try {
    const reply = await fetch(page.dataset.live, { signal: AbortSignal.timeout(10000) });
    return new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("live");
  } catch {
    return null; // the server is away
  }
}

// Until the run is over only what moves is changed: an opened question, or the focus on it, stays.
function show(fresh) {
  if (fresh.dataset.active === "yes") {
    document.getElementById("moving").replaceChildren(...fresh.querySelector("#moving").childNodes);
    return;
  }
  live().replaceWith(document.adoptNode(fresh));
  document.getElementById("say").textContent = fresh.dataset.say;
}

function lost() {
  stale.querySelector("time").textContent = heard.toLocaleTimeString();
  stale.hidden = false;
  next(AFTER_SILENCE);
}
