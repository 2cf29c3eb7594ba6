"""What stands in for `Function` under a strict policy does what `Function` does."""

import json

import pytest

from tests.environment import ROOT

PROGRAMS = [
    (["a", "b"], "return a + b * 2 - 7 % 3 / (1 << b) >> 0;", [5, 3]),
    (["a"], "var v;v=a?a.x:-1;return [v,!!a,typeof v,!v,-v,~v]", [{"x": 4}]),
    (["n"], "var i,s;s=0;for(i=0;i<n;++i){s+=i;if(s>20){return s;}}return -s", [9]),
    (["n"], "var i,s;s=0;for(i=n;i--;){s|=i;}return s", [9]),
    (["a"], "if(a===1){return 1}else if(a<3)return {\"two words\":a,b:[a]};else{a=0}return a", [2]),
    (["a"], "a.k=3;a[\"l\"]=a.k+=4;a.m=a.k++;return a", [{}]),
    (["a"], "return {\"f\":function(x,y){var z;z=x;return z+y+a}}.f(1,2)", [10]),
    (["f"], "var o;o={\"n\":2,\"g\":function(b){return this.n*b}};return o.g(21)", [0]),
    (["a"], "return a&&a[0]!==a[1]||\"none\"", [[1, 1]]),
    (["a"], "var r;r=\"x\" in a;return [r,1.5e3,\"\\u00e9\\n\",null,true]", [{"x": 1}]),
    (["a"], "var g;g=function(n){if(n<2){return 1}return n*g(n-1)};return g(a)", [6]),
]  # fmt: skip
RUN = """([names, source, given]) => {
  const copy = () => JSON.parse(JSON.stringify(given));
  return JSON.stringify([
    window.interpret(names, '"use strict";' + source)(...copy()),
    new Function(...names, '"use strict";' + source)(...copy()),
  ]);
}"""


@pytest.fixture
def bare(page):
    """A page without any policy, with the interpreter."""
    page.goto("about:blank")
    source = (ROOT / "static" / "js" / "regl_code.js").read_text()
    page.add_script_tag(content=f"{source.replace('export ', '')};window.interpret = interpret;")
    return page


@pytest.mark.parametrize("program", PROGRAMS, ids=[source[:30] for _, source, _ in PROGRAMS])
def test_a_program_gives_what_function_gives(bare, program):
    ours, theirs = json.loads(bare.evaluate(RUN, list(program)))
    assert ours == theirs


@pytest.mark.parametrize(
    "source", ["return window", "while(1){}", "new Date()", "a=`x`", "return 1 +"]
)
def test_what_is_not_of_that_kind_is_refused(bare, source):
    refused = """(source) => {
      try { window.interpret(["a"], source)(1); return ""; } catch (error) { return error.name; }
    }"""
    assert bare.evaluate(refused, source) == "SyntaxError"
