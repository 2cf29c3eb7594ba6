// The table's rows by keyboard: j and k go from link to link, Enter follows; past an end, the pager.
export function step(by) {
  const links = [...document.querySelectorAll(".latents td .strong")];
  if (!links.length) return false;
  const row = document.activeElement.closest(".latents tbody tr");
  const at = row ? links.findIndex((link) => row.contains(link)) : by > 0 ? -1 : links.length;
  const next = links[at + by] ?? document.querySelector(by > 0 ? ".pager a[rel=next]" : ".pager a[rel=prev]");
  next?.focus();
  return true;
}

// One panel is open at a time; Escape or a click beside it closes it.
export function startPanels() {
  const panels = [...document.querySelectorAll("details.drop")];
  const close = (kept) => panels.forEach((panel) => { if (panel !== kept) panel.open = false; });
  document.addEventListener("click", ({ target }) => close(target.closest("details.drop")));
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    const open = panels.find((panel) => panel.open);
    close();
    open?.querySelector("summary").focus();
  });
}
