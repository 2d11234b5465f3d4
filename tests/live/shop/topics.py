"""The live queries of the tests."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db.models import Count

from channels.live import LiveQuery
from tests.live.shop.models import Customer, Gift, Order, Parcel


class Everybody(LiveQuery):
    """For whoever asks."""

    interval = 0.01

    async def may_subscribe(self, user: Any) -> bool:
        return True


class OpenOrders(Everybody):
    pattern = "orders:open"
    queryset = lambda self: Order.objects.filter(status="open").order_by("number")  # noqa: E731
    fields = ["number", "customer.name", "label"]


class OfActiveCustomers(Everybody):
    pattern = "orders:active"
    queryset = lambda self: Order.objects.filter(customer__active=True)  # noqa: E731
    fields = ["number", "customer.name"]


class Latest(Everybody):
    pattern = "orders:latest:<int:amount>"
    amount: int

    def queryset(self) -> Any:
        return Order.objects.order_by("-number")[: self.amount]

    fields = ["number"]


class Gifts(Everybody):
    pattern = "gifts"
    queryset = lambda self: Gift.objects.filter(status="open")  # noqa: E731
    fields = ["number", "greeting"]


class Parcels(Everybody):
    pattern = "parcels"
    queryset = lambda self: Parcel.objects.all()  # noqa: E731
    fields = ["weight"]


class Tagged(Everybody):
    pattern = "tagged"
    queryset = lambda self: Order.objects.prefetch_related("tags")  # noqa: E731

    def serializer(row: Any) -> dict[str, Any]:
        return {"number": row.number, "tags": [tag.name for tag in row.tags.all()]}


class Counted(Everybody):
    pattern = "customers"
    queryset = lambda self: Customer.objects.annotate(orders=Count("order"))  # noqa: E731
    fields = ["name", "orders"]


class Few(Everybody):
    pattern = "few"
    queryset = lambda self: Order.objects.all()  # noqa: E731
    fields = ["number"]
    max_rows = 3


class Fragile(Everybody):
    pattern = "fragile"
    queryset = lambda self: Order.objects.all()  # noqa: E731

    def serializer(row: Any) -> dict[str, Any]:
        if row.number < 0:
            raise ValueError("negative")
        return {"number": row.number}


class Line(msgspec.Struct):
    number: int
    label: str


class AsStruct(Everybody):
    pattern = "struct"
    queryset = lambda self: Order.objects.all()  # noqa: E731
    serializer = Line


class Mine(Everybody):
    """Each user has the orders of the customer of that name."""

    pattern = "orders:mine"
    queryset = lambda self: Order.objects.order_by("number")  # noqa: E731
    fields = ["number", "customer.name"]

    def visible_to(self, user: Any, row: Any) -> bool:
        return bool(row["customer"]["name"] == user.username)


class Forbidden(LiveQuery):
    pattern = "forbidden"
    queryset = lambda self: Order.objects.all()  # noqa: E731
    fields = ["number"]


class InDatabase(Everybody):
    pattern = "orders:database"
    store = "database"
    queryset = lambda self: Order.objects.filter(status="open").order_by("number")  # noqa: E731
    fields = ["number"]


class AsHTML(Everybody):
    """For htmx: new rows are appended, others are swapped by their ids."""

    pattern = "orders:html"
    queryset = lambda self: Order.objects.filter(status="open")  # noqa: E731
    fields = ["number"]
    template = "orders.html"


class InTheOther(Everybody):
    pattern = "orders:other"
    queryset = lambda self: Order.objects.using("other").filter(status="open").order_by("number")  # noqa: E731
    fields = ["number", "customer.name"]
