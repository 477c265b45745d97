"""The small mistakes: every place of a module where one could be made, and the module with it.

In: source text. Out: `Mutant` values in the order of the source, each with a name that outlives edits elsewhere in the module.
Invariants: one mistake each; a name is the function, the expression before and after, and a number where both repeat.
Never: a mistake in what no behaviour hangs on: annotations, type variables, docstrings, decorators, `repr`, and the ``strict`` of
`zip`, which guards against callers that do not exist.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Path = tuple[tuple[str, int | None], ...]
"""From the module to a node: fields, with the place in those that are lists."""

_SWAPS: dict[type[ast.AST], tuple[type[Any], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.FloorDiv,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_PLAIN = ("casefold", "lower", "strip", "astimezone", "date", "copy")
"""Methods that may be forgotten: the value itself remains."""
_UNTOUCHED_FIELDS = ("annotation", "returns", "decorator_list", "type_comment")
_UNTOUCHED_KEYWORDS = ("repr", "strict")
_SHOWN = 70


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake in ``line``. ``statement`` is the line of the smallest statement around it: who runs that could notice."""

    module: str
    name: str
    line: int
    statement: int
    path: Path
    change: Callable[[Any], ast.AST]

    def tree(self, source: str) -> ast.Module:
        """The module with the mistake in it."""
        tree = ast.parse(source)
        parent = _follow(tree, self.path[:-1])
        _set(parent, self.path[-1], self.change(_follow(parent, self.path[-1:])))
        return ast.fix_missing_locations(tree)


def _follow(node: Any, path: Path) -> Any:
    for field, index in path:
        node = getattr(node, field)
        if index is not None:
            node = node[index]
    return node


def _set(parent: Any, step: tuple[str, int | None], node: ast.AST) -> None:
    field, index = step
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def watched(source: str, hit: str) -> ast.Module:
    """The module with a call of the global ``hit`` before each statement, given the statement's line."""
    tree = ast.parse(source)
    for node in [*ast.walk(tree)]:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block:
                setattr(node, field, [each for statement in block for each in (*_hits(statement, hit), statement)])
    return ast.fix_missing_locations(tree)


def _hits(statement: ast.stmt, hit: str) -> tuple[ast.stmt, ...]:
    if isinstance(statement, ast.ImportFrom) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    ):
        return ()  # nothing may stand before a docstring and the imports from the future
    call = ast.Call(ast.Name(hit, ast.Load()), [ast.Constant(statement.lineno)], [])
    return (ast.copy_location(ast.Expr(call), statement),)


def mutants(module: str, source: str) -> list[Mutant]:
    """Every mutant of a module. ``module`` is its short name, the first word of their names."""
    found: list[Mutant] = []
    times: Counter[str] = Counter()
    for path, chain, where in _walk(ast.parse(source), (), (), ()):
        changes = [*_changes(chain[-1])]
        shown = _shown(chain) if changes else chain[-1]
        text = _text(shown) if changes else ""
        for change in changes:
            made = change(chain[-1])
            _set(chain[-2], path[-1], made)
            before, after = _apart(text, _text(made if shown is chain[-1] else shown))
            _set(chain[-2], path[-1], chain[-1])
            name = f"{'.'.join((module, *where))}: {before} -> {after}"
            times[name] += 1
            if times[name] > 1:
                name += f" #{times[name]}"
            statement = next(each for each in reversed(chain) if isinstance(each, ast.stmt)).lineno
            line = getattr(chain[-1], "lineno", statement)
            found.append(Mutant(module, name, line, statement, path, change))
    return found


def _walk(
    node: Any, path: Path, above: tuple[Any, ...], where: tuple[str, ...]
) -> Iterator[tuple[Path, tuple[Any, ...], tuple[str, ...]]]:
    """Every node in which a mistake can be made: the way to it, the nodes on that way, the functions it is in."""
    chain = (*above, node)
    if isinstance(node, ast.stmt | ast.expr | ast.comprehension):
        yield path, chain, where
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        where = (*where, node.name)
    for field, value in ast.iter_fields(node):
        if field in _UNTOUCHED_FIELDS:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(child, ast.AST) and not _untouched(child, node, field):
                yield from _walk(child, (*path, (field, index)), chain, where)


def _untouched(node: ast.AST, parent: Any, field: str) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
            return True
        case ast.Assign(targets=[ast.Name(id="__slots__" | "__all__")]):
            return True
        case ast.keyword(arg=arg) if arg in _UNTOUCHED_KEYWORDS:
            return True
        case _:
            # The format of an f-string's field, and the type that `cast` is told.
            return field == "format_spec" or (_called(parent) == "cast" and node is parent.args[0])


def _called(node: Any) -> str:
    """The plain name that is called, if it is a call of one."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _shown(chain: tuple[Any, ...]) -> Any:
    """The node, or the largest expression or statement around it that fits a line."""
    best = chain[-1]
    for node in reversed(chain[:-1]):
        if not isinstance(node, ast.expr | ast.keyword | ast.comprehension | ast.stmt) or _is_block(node):
            break
        if getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0) > 3 or len(_text(node)) > _SHOWN:
            break
        best = node
    return best


def _is_block(node: ast.AST) -> bool:
    return isinstance(getattr(node, "body", None), list) or isinstance(node, ast.Match)


def _text(node: Any) -> str:
    if isinstance(node, ast.If | ast.While):
        node = ast.Expr(node.test)
    elif isinstance(node, ast.match_case):
        guard = f" if {_text(node.guard)}" if node.guard is not None else ""
        return f"case {ast.unparse(node.pattern)}{guard}"
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    differ = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def _apart(before: str, after: str) -> tuple[str, str]:
    """Both texts as they are, or of long ones where they differ and what is next to it."""
    if len(before) <= 2 * _SHOWN:
        return before, after
    same = _alike(before, after)
    end = min(_alike(before[::-1], after[::-1]), len(before) - same, len(after) - same)
    start, stop = max(same - _SHOWN // 2, 0), max(end - _SHOWN // 2, 0)

    def part(text: str) -> str:
        shown = text[start : len(text) - stop]
        shown = shown if len(shown) <= 3 * _SHOWN else shown[: 3 * _SHOWN] + "…"
        return f"{'…' if start else ''}{shown}{'…' if stop else ''}"

    return part(before), part(after)


def _put(**fields: Any) -> Callable[[Any], ast.AST]:
    """A change that gives a node other fields."""

    def change(node: Any) -> ast.AST:
        made = copy.copy(node)
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    return change


def _become(made: ast.AST) -> Callable[[Any], ast.AST]:
    return lambda node: ast.copy_location(made, node)


def _without(values: list[Any], index: int) -> list[Any]:
    return values[:index] + values[index + 1 :]


def _changes(node: Any) -> Iterator[Callable[[Any], ast.AST]]:
    match node:
        case ast.Compare():
            for index, op in enumerate(node.ops):
                for other in _SWAPS.get(type(op), ()):
                    yield _put(ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])
        case ast.BoolOp():
            yield _put(op=_SWAPS[type(node.op)][0]())
            for index in range(len(node.values)):
                rest = _without(node.values, index)
                yield _put(values=rest) if len(rest) > 1 else _become(rest[0])
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield _become(node.operand)
        case ast.BinOp(op=ast.BitOr()):
            yield _become(node.left)
            yield _become(node.right)
        case ast.BinOp() | ast.AugAssign():
            if not (isinstance(node, ast.BinOp) and _is_text(node.left)):
                for other in _SWAPS.get(type(node.op), ()):
                    yield _put(op=other())
            if isinstance(node, ast.AugAssign):
                yield _become(ast.Pass())
        case ast.Constant():
            yield from _constants(node)
        case ast.If() | ast.IfExp():
            yield _put(test=ast.Constant(True))
            yield _put(test=ast.Constant(False))
        case ast.While():
            yield _put(test=ast.Constant(False))
        case ast.comprehension():
            for index in range(len(node.ifs)):
                yield _put(ifs=_without(node.ifs, index))
        case ast.Match():
            for index, case in enumerate(node.cases[:-1]):
                never = _put(guard=ast.Constant(False))(case)
                yield _put(cases=[*node.cases[:index], never, *node.cases[index + 1 :]])
                if case.guard is not None:
                    yield _put(cases=[*node.cases[:index], _put(guard=None)(case), *node.cases[index + 1 :]])
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            yield _put(value=ast.Constant(None))
        case ast.Expr() | ast.Raise() | ast.Delete():
            yield _become(ast.Pass())
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield _become(ast.Pass())
        case ast.Continue():
            yield _become(ast.Break())
        case ast.Break():
            yield _become(ast.Continue())
        case ast.Call():
            yield from _calls(node)
        case ast.Subscript(slice=ast.Slice(), ctx=ast.Load()):
            yield _become(node.value)
        case _:
            pass


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _constants(node: ast.Constant) -> Iterator[Callable[[Any], ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        yield _become(ast.Constant(not value))
    elif isinstance(value, int):
        yield _become(ast.Constant(value + 1))
    elif isinstance(value, str):
        # Another word, of which the true one is no part: tests look for parts of messages.
        yield _become(ast.Constant(f"{value[:-1]}XX"))


def _calls(node: ast.Call) -> Iterator[Callable[[Any], ast.AST]]:
    name = _called(node)
    if name in _NAMES:
        yield _put(func=ast.Name(_NAMES[name], ast.Load()))
    if isinstance(node.func, ast.Attribute) and node.func.attr in _PLAIN and len(node.args) <= 1:
        yield _become(node.func.value)
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in _UNTOUCHED_KEYWORDS:
            yield _put(keywords=_without(node.keywords, index))
