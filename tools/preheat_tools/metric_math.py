"""CloudWatch's metric math, as far as dashboards and alarms of the template use it. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping

Points = Mapping[float, float]
"""Values by the start of their period, Unix s; a period without data has none."""
_FILL = re.compile(r"FILL\((\w+), REPEAT\)")
_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}

_COMPARISONS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


def evaluate(expression: str, series: Mapping[str, Points], *, period_s: float, until_s: float) -> Points:
    """+ - * / of numbers and ids, where every id has a value; no division by zero; a comparison is 1 or 0.

    Or one id by FILL(id, REPEAT): its last value in each period up to `until_s`. Raises ValueError for any other.
    """
    if shape := _FILL.fullmatch(expression):
        return _repeated(_known(expression, {shape.group(1)}, series)[0], period_s, until_s)
    tree = ast.parse(expression, mode="eval").body
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    instants = set[float].intersection(*(set(points) for points in _known(expression, names, series)))
    found: dict[float, float] = {}
    for at_s in sorted(instants):
        try:
            found[at_s] = _value(tree, {name: series[name][at_s] for name in names})
        except ZeroDivisionError:
            continue
    return found


def _known(expression: str, names: set[str], series: Mapping[str, Points]) -> list[Points]:
    if unknown := names - series.keys():
        raise ValueError(f"{expression!r} names {sorted(unknown)}, rows have {sorted(series)}")
    return [series[name] for name in names]


def _repeated(points: Points, period_s: float, until_s: float) -> Points:
    found: dict[float, float] = {}
    at_s = min(points, default=until_s)
    while at_s < until_s:
        found[at_s] = points[at_s] if at_s in points else found[at_s - period_s]
        at_s += period_s
    return found


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.BinOp) and (work := _ARITHMETIC.get(type(node.op))):
        return work(_value(node.left, values), _value(node.right, values))
    if (
        isinstance(node, ast.Compare)
        and len(node.ops) == 1
        and (holds := _COMPARISONS.get(type(node.ops[0])))
    ):
        return float(holds(_value(node.left, values), _value(node.comparators[0], values)))
    raise ValueError(f"not metric math that is known here: {ast.unparse(node)!r}")
