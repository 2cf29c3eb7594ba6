// The snippet follows what is chosen; its frame is as tall as its parts.
const HEIGHTS = { hist: 170, logits: 210, top: 50 };
const HEAD = 90;
const ROW = 24;

export function startShare() {
  const form = document.querySelector("[data-frame]");
  form?.addEventListener("input", () => { document.getElementById("snippet").value = snippet(form); });
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    open(address(form), "_blank", "noopener");
  });
}

function snippet(form) {
  const element = document.createElement("iframe");
  const attributes = { src: address(form), title: document.getElementById("address").textContent, width: "100%", height: height(form), loading: "lazy" };
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element.outerHTML.replaceAll("&amp;", "&");
}

function address(form) {
  const { show, n, theme } = chosen(form);
  const query = [show.length ? `show=${show.join(",")}` : "", `n=${n}`, theme === "auto" ? "" : `theme=${theme}`];
  return `${form.dataset.frame}${form.dataset.frame.includes("?") ? "&" : "?"}${query.filter(Boolean).join("&")}`;
}

function height(form) {
  const { show, n } = chosen(form);
  const beside = Math.max(0, ...show.filter((part) => part !== "top").map((part) => HEIGHTS[part]));
  return HEAD + beside + (show.includes("top") ? HEIGHTS.top + ROW * n : 0);
}

function chosen(form) {
  const data = new FormData(form);
  return { show: data.getAll("show"), n: Number(data.get("n")) || 5, theme: data.get("theme") };
}
