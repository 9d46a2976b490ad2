from __future__ import annotations

import pytest
from preheat.frozen import Frozen, as_dict, replace


class Point(Frozen):
    x: int
    y: int = 2


class Named(Point):
    name: str = ""


def test_it_takes_fields_by_name_and_knows_its_defaults() -> None:
    assert as_dict(Point(x=1)) == {"x": 1, "y": 2}
    assert as_dict(Named(x=1, name="a")) == {"x": 1, "y": 2, "name": "a"}


def test_values_are_equal_by_content_and_type() -> None:
    assert Point(x=1) == Point(x=1, y=2)
    assert hash(Point(x=1)) == hash(Point(x=1, y=2))
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Named(x=1)


def test_it_is_frozen_and_has_no_dict() -> None:
    point = Point(x=1)
    for forbidden in (
        lambda: setattr(point, "x", 3),
        lambda: setattr(point, "z", 3),
        lambda: delattr(point, "x"),
    ):
        with pytest.raises(AttributeError):
            forbidden()
    assert not hasattr(point, "__dict__")


def test_a_changed_copy_leaves_the_first_alone() -> None:
    point = Point(x=1)
    assert replace(point, y=5) == Point(x=1, y=5)
    assert point.y == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [({}, "Point needs 'x'"), ({"x": 1, "z": 2}, "Point has no field 'z'; its fields: x, y")],
)
def test_wrong_fields_are_named(fields: dict[str, int], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Point(**fields)


def test_it_reads_well() -> None:
    assert repr(Point(x=1)) == "Point(x=1, y=2)"
