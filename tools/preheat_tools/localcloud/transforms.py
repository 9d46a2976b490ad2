"""SAM's transform with the parameters that a stack is given; ministack runs it with none, so that defaults decide.

What SAM decides itself (whether there is a deployment group, say) depends on them; conditions come later.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from preheat_tools.localcloud.stack import Expected, Stack

EXPECTS = (
    Expected("services.cloudformation.engine:_apply_transforms", "d3f0e05e08"),
    Expected("services.cloudformation.engine:_transform_parameters", "71639a086e"),
    Expected("services.cloudformation.changesets:_apply_transforms", "d3f0e05e08"),
    Expected("services.cloudformation.handlers:_apply_transforms", "d3f0e05e08"),
)

_parameters: ContextVar[Mapping[str, str]] = ContextVar("preheat_stack_parameters", default={})  # noqa: B039


def install(stack: Stack) -> None:
    """Hand a stack's parameters on to SAM's translator."""
    translator: Any = importlib.import_module("samtranslator.translator.transform")
    translate, apply = translator.transform, stack.changesets._apply_transforms

    def with_parameters(template: Any, parameters: Mapping[str, str], loader: Any) -> Any:
        return translate(template, {**_parameters.get(), **parameters}, loader)

    def applied(template: Any, provided: Any = None, previous: Any = None) -> Any:
        token = _parameters.set(stack.engine._transform_parameters(template, provided, previous))
        try:
            return apply(template, provided, previous)
        finally:
            _parameters.reset(token)

    translator.transform = with_parameters
    stack.changesets._apply_transforms = stack.handlers._apply_transforms = applied
