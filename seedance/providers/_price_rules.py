"""EvoLink's public pricing rules: what an order costs by the answer of
GET /v1/catalog/models/{model}/pricing-rules?view=full.

The meaning of the fields is that of EvoLink's own client, which computes its estimates so
(pricing-rules-client.js and pricing-rules-estimate.js, made from EvoLinkAI/evolink-mcp, 2026-10).
A rule that is not understood to its end gives no price.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from ..wire import dig

Value: TypeAlias = Fraction | bool | str

SCHEMA = "2"
ROUNDING = "per_component_subtotal"  # of less than a millionth of a dollar
DEEPEST = 32
MOST_STEPS = 5000
MOST_USD = 1_000_000

_DECIMAL = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


class BadRule(ValueError):
    """A rule that is not understood."""


def usd(answer: Mapping[str, Any], model_id: str, known: Mapping[str, object]) -> float:
    """The price in USD of an order with the parameters `known` (`quality`, `duration_seconds`...).

    Raises BadRule where the answer is not about `model_id`, or not understood.
    """
    model, meta = answer.get("model"), answer.get("meta")
    if dig(meta, "schema_version") != SCHEMA or dig(meta, "currency") != "USD":
        raise BadRule("of another version or currency")
    if not isinstance(model, dict) or model.get("model_id") != model_id.lower():
        raise BadRule("of another model")
    if model.get("pricing_status") != "available" or model.get("policy_source") != "published":
        raise BadRule("not available")
    parameters, components = model.get("parameters", []), model.get("components")
    if not isinstance(parameters, list) or not isinstance(components, list) or not components:
        raise BadRule("incomplete")
    if any(str(dig(each, "name")) not in known for each in parameters):
        raise BadRule("with a parameter that is not known")
    rule = _Rule({name: _read(value) for name, value in known.items()})
    total = sum(rule.component(each) for each in components)
    if total > MOST_USD:
        raise BadRule("an absurd price")
    return float(total)


def _read(value: object) -> Value:
    if isinstance(value, bool) or value in ("true", "false"):
        return value in (True, "true")
    text = str(value)
    return Fraction(text) if _DECIMAL.fullmatch(text) else text


def _number(value: object) -> Fraction:
    read = _read(value) if isinstance(value, (str, int, float)) else value
    if isinstance(read, bool) or not isinstance(read, Fraction):
        raise BadRule("no number where one belongs")
    return read


def _truth(value: Value) -> bool:
    if not isinstance(value, bool):
        raise BadRule("no condition where one belongs")
    return value


class _Rule:
    """The expressions of one answer, with the values of its parameters."""

    def __init__(self, known: Mapping[str, Value]) -> None:
        self._known, self._steps = known, 0

    def component(self, part: Any) -> Fraction:
        """The USD of one component of the price."""
        if dig(part, "pricing_status") != "available" or dig(part, "tiers") != []:
            raise BadRule("a component with tiers, or not available")
        if dig(part, "rounding", "point") != ROUNDING:
            raise BadRule("rounded in another way")
        if "condition" in part and not _truth(self._value(part["condition"])):
            return Fraction(0)
        quantity = _number(self._value(part.get("quantity_rule")))
        rate, least = (_number(dig(part, name, "usd")) for name in ("rate", "minimum_charge"))
        if quantity < 0 or rate < 0:
            raise BadRule("a negative price")
        return max(quantity * rate, least)

    def _value(self, node: Any, depth: int = 0) -> Value:
        self._steps += 1
        if not isinstance(node, dict) or depth > DEEPEST or self._steps > MOST_STEPS:
            raise BadRule("no expression, or too large a one")

        def of(inner: Any) -> Value:
            return self._value(inner, depth + 1)

        op, args = node.get("op"), node.get("args", [])
        if op == "constant":
            return _read(node.get("value"))
        if op == "variable":
            name = str(node.get("name"))
            if name not in self._known:
                raise BadRule("an unknown parameter")
            return self._known[name]
        if op == "lookup":
            key = of(node.get("key"))
            return _number(dig(node, "values", key if isinstance(key, str) else _plain(key)))
        if not isinstance(args, list) or not args:
            raise BadRule(f"{op} without arguments")
        if op == "if" and len(args) == 3:
            return of(args[1]) if _truth(of(args[0])) else of(args[2])
        if op in ("eq", "neq") and len(args) == 2:
            first, second = of(args[0]), of(args[1])
            return (type(first) is type(second) and first == second) is (op == "eq")
        if op == "not" and len(args) == 1:
            return not _truth(of(args[0]))
        if op in ("and", "or"):
            return (all if op == "and" else any)([_truth(of(each)) for each in args])
        return _calculated(op, [_number(of(each)) for each in args])


def _plain(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _calculated(op: Any, numbers: list[Fraction]) -> Value:
    match op, numbers:
        case "add", _:
            return sum(numbers, Fraction(0))
        case "multiply", _:
            return math.prod(numbers, start=Fraction(1))
        case "min", _:
            return min(numbers)
        case "max", _:
            return max(numbers)
        case "subtract", [first, second]:
            return first - second
        case "divide", [first, second] if second:
            return first / second
        case "clamp", [value, low, high] if low <= high:
            return min(max(value, low), high)
        case "ceil", [value]:
            return Fraction(math.ceil(value))
        case "floor", [value]:
            return Fraction(math.floor(value))
        case (("lt" | "lte" | "gt" | "gte"), [first, second]):
            return _COMPARE[op](first, second)
    raise BadRule(f"an unknown operation: {op}")
