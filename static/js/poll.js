// While runs are under way the front page keeps their progress fresh.
const EVERY = 3000;

export function startPoll() {
  const section = document.getElementById("unfinished");
  if (section && section.dataset.poll !== "0") setTimeout(refresh, EVERY, section);
}

async function refresh(section) {
  try {
    const reply = await fetch(location.href);
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const fresh = page.getElementById("unfinished");
    if (fresh && fresh.dataset.poll !== section.dataset.poll) return location.reload();
    if (fresh) section.replaceChildren(...fresh.childNodes);
  } catch {
    // the server is away; the next attempt may find it again
  }
  setTimeout(refresh, EVERY, section);
}
