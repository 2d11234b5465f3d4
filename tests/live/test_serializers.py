"""What makes JSON of a row: fields, and serializers of others."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from channels.live.reading.encoding import encoder_for, key_of
from channels.topics import InvalidData
from tests.live.shop.models import Customer, Order

ROW = Order(pk=7, number=3, total=Decimal("9.50"), customer=Customer(pk=2, name="ada"))


class Line(msgspec.Struct):
    number: int
    label: str


def drf() -> Any:
    serializers = pytest.importorskip("rest_framework.serializers")

    class LineSerializer(serializers.ModelSerializer):  # type: ignore[name-defined]
        class Meta:
            model = Order
            fields = ["number", "label"]

    return LineSerializer


def pydantic() -> Any:
    module = pytest.importorskip("pydantic")

    class LineModel(module.BaseModel):  # type: ignore[name-defined]
        number: int
        label: str

    LineModel.model_rebuild(_types_namespace={"int": int, "str": str})
    return LineModel


@pytest.mark.parametrize(
    "serializer",
    [drf, pydantic, lambda: Line, lambda: lambda row: {"number": row.number, "label": row.label}],
    ids=["DRF", "pydantic", "Struct", "function"],
)
def test_serializers_of_each_kind_say_the_same(serializer: Any) -> None:
    assert json.loads(encoder_for((), serializer())(ROW)) == {"number": 3, "label": "#3"}


def test_fields_lead_along_relations_and_to_methods() -> None:
    fields = ["pk", "total", "customer.name", "customer.pk", "label", "get_deferred_fields"]
    assert json.loads(encoder_for(fields, None)(ROW)) == {
        "pk": 7,
        "total": "9.50",
        "customer": {"name": "ada", "pk": 2},
        "label": "#3",
        "get_deferred_fields": [],
    }
    assert json.loads(encoder_for(["customer", "customer_id"], None)(ROW)) == {
        "customer": 2,
        "customer_id": 2,
    }
    alone = Order(number=1)
    assert json.loads(encoder_for(["customer.name"], None)(alone)) == {"customer": {"name": None}}


def test_many_rows_are_no_field() -> None:
    with pytest.raises(InvalidData, match=r"tags is many rows; use a serializer"):
        encoder_for(["tags"], None)(ROW)


def test_keys_are_numbers_as_far_as_javascript_can_count() -> None:
    largest = 2**53 - 1
    assert [key_of(key) for key in (7, -largest, largest)] == [7, -largest, largest]
    assert [key_of(key) for key in (largest + 1, -largest - 1)] == ["9007199254740992", "-9007199254740992"]


def test_times_are_as_json_has_them() -> None:
    encode = encoder_for((), lambda row: {"at": datetime.date(2026, 1, 2)})
    assert json.loads(encode(ROW)) == {"at": "2026-01-02"}
