"""`scripts/lengths` sees every function that is too long."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
from conftest import REPOSITORY

LOADER = SourceFileLoader("lengths", str(REPOSITORY / "scripts/lengths"))
lengths = module_from_spec(spec_from_loader("lengths", LOADER))
LOADER.exec_module(lengths)

SWIFT = """
struct A {
  @MainActor public static func short() {}
  var text: String {
    "a"
  }

  init(
    text: String
  ) where A: B
  {

    if true {
    }
  }

  func `sentence with (words)`(_ a: Int) async throws(E) -> Int {
    a
  }
}
protocol P {
  func bodiless(
    a: Int
  ) -> Int
  func other()
}
"""
C = """
int declared(int a);
static struct a table[] = {
    {1},
};
static int defined(int a,
                   int b) {
  return a;
}
"""
PYTHON = """
class A:
    def a(self):
        pass
        return 1
"""


@pytest.mark.parametrize("suffix, text, expected", [
    (".swift", SWIFT, [("var text: String", 3), ("init(", 8),
                       ("func `sentence with (words)`(_ a: Int) async throws(E) -> Int", 3)]),
    (".c", C, [("static int defined(int a,", 4)]),
    (".py", PYTHON, [("a", 3)]),
], ids=["Swift", "C", "Python"])
def test_the_lines_of_functions_are_counted(suffix, text, expected):
    assert [found[1:] for found in lengths.functions(suffix, text)] == expected
