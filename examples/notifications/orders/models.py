"""Orders. Whoever saves one, a page, the admin or a command, tells its owner: in the same transaction."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from orders.topics import OrdersOf


class Order(models.Model):
    class Status(models.TextChoices):
        PLACED = "placed", "Placed"
        PACKED = "packed", "Packed"
        SHIPPED = "shipped", "Shipped"
        DELIVERED = "delivered", "Delivered"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="orders")
    item = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=Status, default=Status.PLACED)
    changed = models.DateTimeField(auto_now=True)
    unread = models.BooleanField(default=False, help_text="It has changed since its owner has looked.")

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"Order {self.pk}: {self.item}"


@receiver(pre_save, sender=Order)
def mark_as_unread(instance: Order, **kwargs: Any) -> None:
    """Note that an order has changed since its owner has looked."""
    instance.unread = instance.pk is not None


@receiver([post_save, post_delete], sender=Order)
def tell_owner(instance: Order, **kwargs: Any) -> None:
    """Tell the owner, whoever has changed the order: a page, the admin, a command, a shell."""
    tell(instance.owner_id, order=instance.pk)


def tell(owner: int, **what: int) -> None:
    """Have the open pages of somebody show the orders as they are; the message has no more than a number."""
    OrdersOf(owner=owner).publish(what)


def advance(order: Order) -> None:
    """Let an order go one step on its way."""
    steps = list(Order.Status)
    order.status = steps[min(steps.index(Order.Status(order.status)) + 1, len(steps) - 1)]
    order.save()


def mark_as_read(owner: int) -> None:
    """Note that somebody has looked, and tell the other windows."""
    with transaction.atomic():
        if Order.objects.filter(owner=owner, unread=True).update(unread=False):
            tell(owner)


def shown_to(owner: int, changed: int | None = None) -> dict[str, Any]:
    """Return what templates show of somebody's orders, and say of the one that has changed."""
    orders = list(Order.objects.filter(owner=owner)[:50])
    unread = sum(order.unread for order in orders)
    return {"orders": orders, "unread": unread, "news": sentence(orders, changed)}


def sentence(orders: list[Order], changed: int | None) -> str:
    """Return what screen readers say of a change."""
    if changed is None:
        return "All orders are marked as read."
    order = next((order for order in orders if order.pk == changed), None)
    return (
        f"{order.item}, no. {changed}: {order.get_status_display()}"
        if order
        else f"Order no. {changed} is not in the list any more."
    )
