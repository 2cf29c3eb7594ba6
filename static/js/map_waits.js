// A map is being made: look again by itself.
if (document.querySelector("[data-again]")) setTimeout(() => location.reload(), 2000);
