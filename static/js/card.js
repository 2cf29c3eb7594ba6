// What the card of a token is made of. Text from a corpus is only ever text here.
export function chip(text) {
  const element = node("bdi", text.replace(/^ +| +$/g, (blanks) => "␣".repeat(blanks.length)));
  element.className = "tok";
  return element;
}

export function node(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

export function line(name, ...children) {
  const element = node("p", "");
  if (name) element.className = name;
  element.append(...children);
  return element;
}
