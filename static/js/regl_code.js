// regl, which draws Plotly's points, writes JavaScript for each way of drawing and asks `Function` to
// compile it. Our pages forbid that (no unsafe-eval). What it writes is a small part of the language,
// so it is read here and run as closures; a frame of points runs some thousands of them.

const TOKEN = /\s+|(\d+(?:\.\d+)?(?:e[+-]?\d+)?)|("(?:[^"\\]|\\.)*")|([A-Za-z_$][\w$]*)|(>>>|===|!==|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&|^]=|[-+*/%&|^<>=!~?:.,;()[\]{}])/y;

// How tightly operators bind.
const BINDS = {
  "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "===": 6, "!==": 6,
  "<": 7, ">": 7, "<=": 7, ">=": 7, in: 7, instanceof: 7, "<<": 8, ">>": 8, ">>>": 8,
  "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
};

const OPERATE = {
  "|": (a, b) => a | b, "^": (a, b) => a ^ b, "&": (a, b) => a & b,
  "==": (a, b) => a == b, "!=": (a, b) => a != b, "===": (a, b) => a === b, "!==": (a, b) => a !== b,
  "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
  in: (a, b) => a in b, instanceof: (a, b) => a instanceof b,
  "<<": (a, b) => a << b, ">>": (a, b) => a >> b, ">>>": (a, b) => a >>> b,
  "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b, "%": (a, b) => a % b,
};

const PREFIX = { "!": (a) => !a, "-": (a) => -a, "+": (a) => +a, "~": (a) => ~a, typeof: (a) => typeof a };

// What `new Function(...names, source)` returns. Throws SyntaxError on anything outside that part.
export function interpret(names, source) {
  return new Reader(source).program(names)([]);
}

// A frame holds a call's variables; the first slot is the frame of the function around it.
class Scope {
  constructor(outer, names) {
    this.outer = outer;
    this.slots = new Map();
    names.forEach((name) => this.declare(name));
  }

  declare(name) {
    if (!this.slots.has(name)) this.slots.set(name, this.slots.size + 1);
  }

  find(name) {
    let depth = 0;
    for (let scope = this; scope; scope = scope.outer, depth += 1) {
      if (scope.slots.has(name)) return { depth, slot: scope.slots.get(name) };
    }
    throw new SyntaxError(`${name} is not known`);
  }
}

class Reader {
  constructor(source) {
    this.tokens = [...split(source)];
    this.at = 0;
    this.scope = null;
  }

  program(names) {
    return this.body(names, () => this.at === this.tokens.length);
  }

  // ---------- tokens ----------

  get next() { return this.tokens[this.at]?.text; }

  take(text) {
    if (this.next !== text) throw new SyntaxError(`${text} was expected before ${this.next}`);
    return this.tokens[this.at++];
  }

  skip(text) {
    if (this.next !== text) return false;
    this.at += 1;
    return true;
  }

  name() {
    const { kind, text } = this.tokens[this.at++] ?? {};
    if (kind !== "name") throw new SyntaxError(`a name was expected instead of ${text}`);
    return text;
  }

  // ---------- statements: each runs on a frame and says whether it returned ----------

  body(names, isOver) {
    const scope = new Scope(this.scope, names);
    this.scope = scope;
    const run = this.statements(isOver);
    this.scope = scope.outer;
    return (outer) => function interpreted(...given) {
      const frame = [outer];
      frame.self = this;
      for (let at = 0; at < names.length; at += 1) frame[at + 1] = given[at];
      frame.given = undefined;
      run(frame);
      return frame.given;
    };
  }

  statements(isOver) {
    const steps = [];
    while (!isOver()) steps.push(this.statement());
    return (frame) => {
      for (let at = 0; at < steps.length; at += 1) if (steps[at](frame)) return true;
      return false;
    };
  }

  statement() {
    if (this.skip(";")) return () => false;
    if (this.next === "{") return this.block();
    if (this.skip("var")) return this.variables();
    if (this.skip("if")) return this.branch();
    if (this.skip("for")) return this.loop();
    if (this.skip("return")) return this.giving();
    return this.plain();
  }

  block() {
    this.take("{");
    const run = this.statements(() => this.next === "}");
    this.take("}");
    return run;
  }

  variables() {
    const set = [];
    do {
      const name = this.name();
      this.scope.declare(name);
      if (this.skip("=")) set.push(variable(this.scope.find(name)).set(this.expression()));
    } while (this.skip(","));
    this.skip(";");
    return (frame) => { for (const each of set) each(frame); return false; };
  }

  branch() {
    this.take("(");
    const test = this.expression();
    this.take(")");
    const yes = this.statement();
    const no = this.skip("else") ? this.statement() : () => false;
    return (frame) => (test(frame) ? yes(frame) : no(frame));
  }

  loop() {
    this.take("(");
    const first = this.next === ";" ? () => false : this.statementBefore(";");
    this.skip(";");
    const test = this.next === ";" ? () => true : this.expression();
    this.take(";");
    const step = this.next === ")" ? () => 0 : this.expression();
    this.take(")");
    const run = this.statement();
    return (frame) => {
      for (first(frame); test(frame); step(frame)) if (run(frame)) return true;
      return false;
    };
  }

  statementBefore() {
    return this.skip("var") ? this.variables() : this.plain();
  }

  giving() {
    const value = this.next === ";" || this.next === "}" ? () => undefined : this.expression();
    this.skip(";");
    return (frame) => { frame.given = value(frame); return true; };
  }

  plain() {
    const value = this.expression();
    this.skip(";");
    return (frame) => { value(frame); return false; };
  }

  // ---------- expressions: each gives a value on a frame; those with `set` can be assigned ----------

  expression() {
    const target = this.choice();
    const sign = this.next;
    if (!/^([-+*/%&|^])?=$/.test(sign ?? "")) return target;
    this.at += 1;
    const value = this.expression();
    if (sign === "=") return target.set(value);
    const operate = OPERATE[sign[0]];
    return target.set((frame) => operate(target(frame), value(frame)));
  }

  choice() {
    const test = this.operation(0);
    if (!this.skip("?")) return test;
    const yes = this.expression();
    this.take(":");
    const no = this.expression();
    return (frame) => (test(frame) ? yes(frame) : no(frame));
  }

  operation(least) {
    let left = this.prefixed();
    for (let sign = this.next; BINDS[sign] > least; sign = this.next) {
      this.at += 1;
      left = joined(sign, left, this.operation(BINDS[sign]));
    }
    return left;
  }

  prefixed() {
    const sign = this.next;
    if (this.tokens[this.at]?.kind === "text") return this.suffixed();
    if (sign === "++" || sign === "--") {
      this.at += 1;
      const target = this.prefixed();
      return target.set((frame) => target(frame) + (sign === "++" ? 1 : -1));
    }
    if (!Object.hasOwn(PREFIX, sign)) return this.suffixed();
    this.at += 1;
    const operate = PREFIX[sign];
    const value = this.prefixed();
    return (frame) => operate(value(frame));
  }

  suffixed() {
    let found = this.simple();
    for (;;) {
      if (this.skip(".")) found = member(found, constant(this.name()));
      else if (this.skip("[")) found = member(found, this.until("]")[0]);
      else if (this.skip("(")) found = call(found, this.until(")"));
      else if (this.next === "++" || this.next === "--") found = this.counted(found);
      else return found;
    }
  }

  counted(target) {
    const by = this.tokens[this.at++].text === "++" ? 1 : -1;
    const set = target.set((frame) => target(frame) + by);
    return (frame) => set(frame) - by;
  }

  simple() {
    const { kind, text, value } = this.tokens[this.at++] ?? {};
    if (kind === "number" || kind === "text") return constant(value);
    if (text === "(") return this.until(")")[0];
    if (text === "[") return list(this.until("]"));
    if (text === "{") return this.record();
    if (text === "function") return this.inner();
    if (text === "this") return (frame) => frame.self;
    if (kind === "name") return Object.hasOwn(WORDS, text) ? constant(WORDS[text]) : variable(this.scope.find(text));
    throw new SyntaxError(`${text} begins no expression`);
  }

  until(end) {
    const found = [];
    while (!this.skip(end)) {
      found.push(this.expression());
      if (this.next !== end) this.take(",");
    }
    return found;
  }

  record() {
    const entries = [];
    while (!this.skip("}")) {
      const { text, value } = this.tokens[this.at++];
      this.take(":");
      entries.push([value ?? text, this.expression()]);
      if (this.next !== "}") this.take(",");
    }
    return (frame) => Object.fromEntries(entries.map(([name, value]) => [name, value(frame)]));
  }

  inner() {
    if (this.next !== "(") this.name();
    this.take("(");
    const names = [];
    while (!this.skip(")")) {
      names.push(this.name());
      this.skip(",");
    }
    this.take("{");
    const made = this.body(names, () => this.next === "}");
    this.take("}");
    return made;
  }
}

const WORDS = { null: null, true: true, false: false, undefined: undefined, performance: globalThis.performance };

function* split(source) {
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const from = TOKEN.lastIndex;
    const found = TOKEN.exec(source);
    if (!found) throw new SyntaxError(`not understood: ${source.slice(from, from + 20)}`);
    const [, number, text, name, sign] = found;
    if (number) yield { kind: "number", text: number, value: Number(number) };
    else if (text) yield { kind: "text", text, value: JSON.parse(text) };
    else if (name || sign) yield { kind: name ? "name" : "sign", text: name ?? sign };
  }
}

function constant(value) {
  const found = () => value;
  found.set = () => { throw new SyntaxError("a constant stays as it is"); };
  return found;
}

function variable({ depth, slot }) {
  const reach = (frame) => {
    let own = frame;
    for (let up = depth; up; up -= 1) [own] = own;
    return own;
  };
  const found = depth ? (frame) => reach(frame)[slot] : (frame) => frame[slot];
  found.set = (value) => (frame) => (reach(frame)[slot] = value(frame));
  return found;
}

function member(owner, name) {
  const found = (frame) => owner(frame)[name(frame)];
  found.set = (value) => (frame) => {
    const [object, key] = [owner(frame), name(frame)];
    return (object[key] = value(frame));
  };
  found.owner = owner;
  found.key = name;
  return found;
}

function call(target, given) {
  const all = (frame) => given.map((each) => each(frame));
  if (!target.owner) return (frame) => target(frame)(...all(frame));
  return (frame) => {
    const object = target.owner(frame);
    return object[target.key(frame)](...all(frame));
  };
}

function list(values) {
  return (frame) => values.map((each) => each(frame));
}

function joined(sign, left, right) {
  if (sign === "||") return (frame) => left(frame) || right(frame);
  if (sign === "&&") return (frame) => left(frame) && right(frame);
  const operate = OPERATE[sign];
  return (frame) => operate(left(frame), right(frame));
}
