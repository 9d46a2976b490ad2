"""Tensors of the Open Inference Protocol, as JSON."""

from __future__ import annotations

from math import isfinite, prod

from preheat.problems import Problem
from preheat.tensor import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from preheat.manifest import Manifest, TensorSpec

DATATYPES = {
    "bool": "BOOL",
    "int8": "INT8",
    "uint8": "UINT8",
    "int16": "INT16",
    "uint16": "UINT16",
    "int32": "INT32",
    "uint32": "UINT32",
    "int64": "INT64",
    "uint64": "UINT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}
"""The protocol's names of numpy's types."""
MAX_ELEMENTS = 1 << 18
"""In one tensor: what a JSON body of 1 MiB could hold at most, and more than a warm answer should take."""
MAX_VARYING = 1024
"""The largest size of a dimension that the model leaves open, such as the batch."""


def tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    """An input or output as the protocol describes it; -1 is a size that varies."""
    shape = [size if isinstance(size, int) else -1 for size in spec.shape]
    return {"name": spec.name, "datatype": DATATYPES[spec.type], "shape": shape}


def input_tensors(body: Any, manifest: Manifest) -> dict[str, Tensor]:
    """Every input of an inference request, checked against the model's; Problem 400, 413 or 422 names the field."""
    if not isinstance(body, dict):
        raise Problem(400, "the body must be an object", "body")
    given = body.get("inputs")
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise Problem(422, "must be an array of tensors", "inputs")
    specs = {spec.name: spec for spec in manifest.inputs}
    names = [item.get("name") for item in given]
    if sorted(map(str, names)) != sorted(specs):
        raise Problem(422, f"must be exactly {', '.join(specs)}, was: {', '.join(map(str, names))}", "inputs")
    return {
        item["name"]: _input(item, specs[item["name"]], f"inputs[{place}]")
        for place, item in enumerate(given)
    }


def output_names(body: Mapping[str, Any], manifest: Manifest) -> list[str]:
    """Which outputs a request wants: those it names, else all."""
    names = [spec.name for spec in manifest.outputs]
    wanted = body.get("outputs")
    if wanted is None:
        return names
    if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
        raise Problem(422, "must be an array of objects with a name", "outputs")
    for place, item in enumerate(wanted):
        if item.get("name") not in names:
            raise Problem(
                422, f"must be one of {', '.join(names)}, was: {item.get('name')!r}", f"outputs[{place}].name"
            )
    asked = [item["name"] for item in wanted]
    if twice := next((place for place, name in enumerate(asked) if name in asked[:place]), None):
        raise Problem(422, f"must name each output once, again: {asked[twice]!r}", f"outputs[{twice}].name")
    return asked


def output_json(name: str, tensor: Tensor) -> dict[str, Any]:
    """An answer, its data flat in row-major order; Problem 500 where JSON has no number for it."""
    return {
        "name": name,
        "datatype": DATATYPES[tensor.type],
        "shape": list(tensor.shape),
        "data": finite_values(name, tensor),
    }


def finite_values(name: str, answer: Tensor) -> list[Any]:
    """An output's elements in row-major order; Problem 500 where one is NaN or infinite."""
    values = answer.values()
    if not all(map(isfinite, values)):
        raise Problem(500, f"the model's answer {name} is not finite for this input")
    return values


def _input(item: Mapping[str, Any], spec: TensorSpec, where: str) -> Tensor:
    if item.get("datatype") != DATATYPES[spec.type]:
        raise Problem(
            422, f"must be {DATATYPES[spec.type]}, was: {item.get('datatype')!r}", f"{where}.datatype"
        )
    shape = _shape(item.get("shape"), spec, f"{where}.shape")
    values = _flat(item.get("data"), f"{where}.data")
    try:
        return Tensor.of(values, spec.type, shape)
    except ValueError as error:
        raise Problem(422, str(error), f"{where}.data") from None


def _shape(shape: Any, spec: TensorSpec, where: str) -> tuple[int, ...]:
    expected = [size if isinstance(size, int) else -1 for size in spec.shape]
    good = (
        isinstance(shape, list)
        and len(shape) == len(expected)
        and all(type(size) is int and size > 0 for size in shape)
        and all(size in (-1, given) for size, given in zip(expected, shape, strict=True))
    )
    if not good:
        raise Problem(
            422, f"must be {expected} where -1 is any size of at least 1, was: {shape!r:.100}", where
        )
    varying = [given for size, given in zip(expected, shape, strict=True) if size == -1]
    if max(varying, default=0) > MAX_VARYING or prod(shape) > MAX_ELEMENTS:
        raise Problem(
            413, f"may vary up to {MAX_VARYING} and hold {MAX_ELEMENTS} values, was: {shape}", where
        )
    return tuple(shape)


def _flat(data: Any, where: str) -> list[Any]:
    """Row-major values of an array that may be nested; numbers and booleans only, finite."""
    if not isinstance(data, list):
        raise Problem(422, f"must be an array of numbers, was: {data!r:.60}", where)
    values = data
    while values and isinstance(values[0], list):
        if not all(isinstance(item, list) for item in values):
            raise Problem(422, "must be nested evenly", where)
        values = [value for item in values for value in item]
    for value in values:
        # a whole number too large for any type is found by Tensor.of; for isfinite it is too large itself
        if not isinstance(value, int) and not (isinstance(value, float) and isfinite(value)):
            raise Problem(422, f"must be finite numbers, was: {value!r:.60}", where)
    return values
