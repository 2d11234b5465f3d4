"""What the live queries of the tests show."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=50)
    active = models.BooleanField(default=True)


class Tag(models.Model):
    name = models.CharField(max_length=50)


class ShyQuerySet(models.QuerySet["Order"]):
    """Has names of its own that somebody else's machinery might want."""

    def update(self, **values: Any) -> int:
        return super().update(**values)

    def notify(self) -> str:
        return "mine"


class Order(models.Model):
    number = models.IntegerField()
    status = models.CharField(max_length=10, default="open")
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    customer = models.ForeignKey(Customer, models.CASCADE, null=True)
    tags = models.ManyToManyField(Tag)

    objects = ShyQuerySet.as_manager()

    @property
    def label(self) -> str:
        return f"#{self.number}"


class Gift(Order):
    """Has a table of its own beside its parent's."""

    greeting = models.CharField(max_length=50, default="")


class ProxyOrder(Order):
    class Meta:
        proxy = True


class Parcel(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    weight = models.IntegerField(default=0)

    class Meta:
        ordering = ["weight"]
