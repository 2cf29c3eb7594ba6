// The ladder shows which group is being read.
export function startLadder() {
  const links = [...document.querySelectorAll(".ladder a")];
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) for (const link of links) link.classList.toggle("at", link.hash === `#${target.id}`);
    }
  }, { rootMargin: "-140px 0px -75% 0px" });
  for (const group of document.querySelectorAll(".group[id]")) seen.observe(group);
}
