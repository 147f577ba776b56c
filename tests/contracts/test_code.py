"""Rules of the code (DESIGN.md, section 6), read off the syntax trees."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACE = ROOT / "src" / "ifonly"
TOPS = ("agents", "scm", "sim", "scenarios")
MODULE_LINES, FUNCTION_LINES = 300, 40
# How the docstring of a longer module or function says why.
REASON = re.compile(r"\blong\b[^.]*\bbecause\b", re.IGNORECASE)


def sources():
    """Every module, by its import name; the face's symlinks are not walked twice."""
    found = {}
    for name, folder in [("ifonly", FACE), *((f"ifonly.{top}", ROOT / top) for top in TOPS)]:
        for path in sorted(folder.rglob("*.py")):
            inner = path.relative_to(folder).with_suffix("").parts
            if not (folder == FACE and inner[0] in TOPS):
                found[".".join([name, *inner]).removesuffix(".__init__")] = path
    return found


SOURCES = sources()
every_module = pytest.mark.parametrize("module", SOURCES)


@functools.cache
def tree_of(module):
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def documented(module):
    """The top-level names of a module, each with whether it is documented.

    A function or class has a docstring; a constant or type alias a string after it or a comment before it.
    """
    tree, lines, found = tree_of(module), SOURCES[module].read_text(encoding="utf-8").splitlines(), {}
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = ast.get_docstring(node) is not None
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                found[name] = said or lines[node.lineno - 2].startswith("#")
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name: True for alias in names}  # documented where it is defined
    return found


def exports(tree):
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return []


def test_the_tree_was_found():
    assert {"ifonly", "ifonly.agents", "ifonly.agents.errors", "ifonly.sim"} <= SOURCES.keys()


@every_module
def test_module_has_a_docstring(module):
    assert ast.get_docstring(tree_of(module)), f"{module}: say in a docstring what the module is for"


@every_module
def test_public_names_exist_and_are_documented(module):
    known = documented(module)
    if module == "ifonly":  # its names are loaded at first use: test_public_names.py
        return
    missing = [name for name in exports(tree_of(module)) if name not in known]
    assert not missing, f"{module}: __all__ names what the module does not have: {missing}"
    silent = [name for name in exports(tree_of(module)) if not known[name]]
    assert not silent, f"{module}: without a docstring (a constant takes a comment before it): {silent}"


@every_module
def test_sizes(module):
    tree, lines = tree_of(module), len(SOURCES[module].read_text(encoding="utf-8").splitlines())
    long = [] if lines <= MODULE_LINES else [(module, lines, tree)]
    for node in functions(tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES:
            long.append((f"{module}.{node.name}", length, node))
    unexplained = [(name, n) for name, n, node in long if not REASON.search(ast.get_docstring(node) or "")]
    assert not unexplained, (
        f"longer than {MODULE_LINES} lines a module or {FUNCTION_LINES} a function; split it, or let its "
        f"docstring say 'Long because ...': {unexplained}"
    )


@every_module
def test_own_modules_are_imported_at_the_top(module):
    hidden = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for function in functions(tree_of(module))
        for node in ast.walk(function)
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "ifonly" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "ifonly"))
    ]
    assert not hidden, f"{module}: imports of our own code inside a function: {hidden}"
