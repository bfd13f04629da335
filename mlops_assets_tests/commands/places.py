"""The places of the package that give advice, found in its source, and those that an error came from."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mlops_assets

PACKAGE = Path(mlops_assets.__file__).parent
NAMED = 3
"""What an `UnknownNameError.of` needs; what more it is given, but for the parameter, leads to advice."""
WITHOUT_ADVICE = {"QuestionError.of", "WorkerLostError.of"}
"""Constructors that make none; one that began to would be found as a place of its own."""


@dataclass(frozen=True)
class Site:
    """A function that makes an error with advice: its file below the package, its lines, its name."""

    file: str
    first: int
    last: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


@cache
def sites() -> list[Site]:
    """Return the functions of the package that give advice, the constructors `of` that make it for others too."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for function, name in functions(ast.parse(file.read_text(encoding="utf-8")), ""):
            if any(gives_advice(node) for node in own_nodes(function)):
                lines = function.lineno, function.end_lineno or function.lineno
                found.append(Site(str(file.relative_to(PACKAGE)), *lines, name))
    return found


def functions(node: ast.AST, outer: str) -> Iterator[tuple[ast.FunctionDef, str]]:
    for child in ast.iter_child_nodes(node):
        name = f"{outer}.{child.name}" if isinstance(child, ast.FunctionDef | ast.ClassDef) and outer else outer
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            name = name or child.name
        if isinstance(child, ast.FunctionDef):
            yield child, name
        yield from functions(child, name)


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a function but those of functions within it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from own_nodes(child)


def gives_advice(node: ast.AST) -> bool:
    """Whether a call gives advice of its own, and does not only hand on that of another error."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Attribute) and ast.unparse(called).endswith("Error.of"):
        if ast.unparse(called) == "UnknownNameError.of":
            return len(node.args) + sum(word.arg != "parameter" for word in node.keywords) > NAMED
        return ast.unparse(called) not in WITHOUT_ADVICE
    given = [keyword.value for keyword in node.keywords if keyword.arg == "advice"]
    return any(not _handed_on(value) for value in given)


def _handed_on(value: ast.expr) -> bool:
    """Whether advice is what a caller or another error has given, each command of it perhaps written otherwise."""
    if isinstance(value, ast.ListComp):
        return len(value.generators) == 1 and _handed_on(value.generators[0].iter)
    return (isinstance(value, ast.Attribute) and value.attr == "advice") or (
        isinstance(value, ast.Name) and value.id == "advice"
    )


def places_of(error: BaseException | None) -> set[str]:
    """Return where an error, and those that it was made from, were raised."""
    found = set()
    while error is not None:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            code, line = trace.tb_frame.f_code, trace.tb_lineno
            around = [
                one for one in sites() if PACKAGE / one.file == Path(code.co_filename) and one.first <= line <= one.last
            ]
            found |= {str(max(around, key=lambda one: one.first))} if around else set()
        error = error.__cause__ or error.__context__
    return found
