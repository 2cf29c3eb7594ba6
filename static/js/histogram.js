// A bar of the histogram says its bounds and its exact count.
export function startHistogram() {
  const plot = document.querySelector(".hist");
  const readout = document.getElementById("readout");
  if (!plot) return;
  const silent = readout.textContent;
  plot.addEventListener("pointerover", ({ target }) => {
    const bar = target.closest("a");
    if (bar) readout.textContent = bar.querySelector("title").textContent;
  });
  plot.addEventListener("pointerleave", () => { readout.textContent = silent; });
}
