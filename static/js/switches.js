// Every switch is a link with an address of its own; here it acts in place and the address follows.
const main = document.querySelector(".latent");
const DEFAULTS = {
  view: "line",
  num: "off",
  br: "off",
  y: "linear",
  logits: "normalised",
  under: "total",
  fx: "usual",
};

export function startSwitches() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-set], [data-flip]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    if (link.dataset.set) set(link.dataset.set, link.dataset.value);
    else flip(link.dataset.flip);
  });
}

export function set(name, value) {
  keepingPlace(() => { main.dataset[name] = value; });
  for (const link of document.querySelectorAll(`[data-set=${name}]`)) press(link, link.dataset.value === value);
  for (const link of document.querySelectorAll(`[data-flip=${name}]`)) press(link, value !== DEFAULTS[name]);
  history.replaceState(null, "", withSwitch(new URL(location), name, value));
  for (const link of document.querySelectorAll("a[data-keep], .value, .more")) {
    link.setAttribute("href", withSwitch(new URL(link.getAttribute("href"), location), name, value)); // in plots too
  }
}

export function flip(name) {
  const other = document.querySelector(`[data-flip=${name}]`).dataset.value ?? "on";
  set(name, main.dataset[name] === other ? DEFAULTS[name] : other);
}

export function cycle(name) {
  const values = [...document.querySelectorAll(`[data-set=${name}]`)].map((link) => link.dataset.value);
  set(name, values[(values.indexOf(main.dataset[name]) + 1) % values.length]);
}

function press(link, isOn) {
  if (isOn) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

function withSwitch(url, name, value) {
  if (value === DEFAULTS[name]) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  return url;
}

// The row being read stays where it is, however much the rows above it grow.
function keepingPlace(change) {
  const focused = document.activeElement.closest(".row");
  const read = focused ?? [...document.querySelectorAll(".row")].find((row) => row.getBoundingClientRect().top > 120);
  const before = read?.getBoundingClientRect().top;
  change();
  if (read && scrollY > 0) scrollBy(0, read.getBoundingClientRect().top - before);
}
