// A link to a latent shows the latent in a few lines.
const cards = new Map();

export function startLinkCards() {
  if (!document.querySelector("a[data-latent]")) return;
  const box = document.createElement("div");
  box.id = "card";
  box.role = "tooltip";
  box.hidden = true;
  document.body.append(box);
  for (const kind of ["pointerover", "focusin"]) {
    document.addEventListener(kind, (event) => show(box, event.target.closest?.("a[data-latent]")));
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") box.hidden = true; });
}

async function show(box, link) {
  box.hidden = true;
  if (!link) return;
  link.setAttribute("aria-describedby", "card");
  box.dataset.of = link.dataset.latent;
  const card = await load(link.dataset.latent);
  if (!card || box.dataset.of !== link.dataset.latent || !link.matches(":hover, :focus")) return;
  box.innerHTML = card; // a page of this very site, escaped there
  box.hidden = false;
  place(box, link.getBoundingClientRect());
}

function load(latent) {
  if (!cards.has(latent)) {
    cards.set(latent, fetch(`/${latent}/card`).then((reply) => (reply.ok ? reply.text() : "")).catch(() => ""));
  }
  return cards.get(latent);
}

function place(box, link) {
  const { width, height } = box.getBoundingClientRect();
  const below = link.bottom + 6 + height < innerHeight;
  box.style.left = `${Math.max(8, Math.min(link.left, innerWidth - width - 8))}px`;
  box.style.top = `${below ? link.bottom + 6 : link.top - height - 6}px`;
}
