// Plotly, loaded when a page wants it, under a policy that allows neither eval nor inline styles.
import { interpret } from "./regl_code.js";

let loading = null;

export function plotLibrary(address) {
  loading ??= load(address);
  return loading;
}

async function load(address) {
  const compile = (_target, _self, given) => interpret(given.slice(0, -1), given.at(-1));
  // Its WebGL part asks `Function` to compile what it writes; see regl_code.js.
  window.Function = new Proxy(Function, { apply: compile, construct: (target, given) => compile(target, null, given) });
  const restore = withoutStyleElements();
  try {
    await script(address);
  } finally {
    restore();
  }
  return window.Plotly;
}

// While it loads it brings styles of map tiles along, which nothing here needs and the policy forbids;
// those it does need stand in map.css.
function withoutStyleElements() {
  const create = document.createElement;
  document.createElement = function createElement(name, ...more) {
    return create.call(this, name === "style" ? "template" : name, ...more);
  };
  return () => { document.createElement = create; };
}

function script(address) {
  return new Promise((loaded, failed) => {
    const element = document.createElement("script");
    element.src = address;
    element.addEventListener("load", loaded);
    element.addEventListener("error", () => failed(new Error("The plot library did not load.")));
    document.head.append(element);
  });
}
