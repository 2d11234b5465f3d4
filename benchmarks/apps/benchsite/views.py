from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponse


def page(request: HttpRequest) -> HttpResponse:
    """A sync view, as most are; what costs time is the way to it and back."""
    return HttpResponse("<!doctype html><title>Benchmark</title><p>Hello, reader.</p>")


def commits(request: HttpRequest, publishing: bool = False) -> HttpResponse:
    """Fifty transactions, with one row each that is written over; with a publication or without."""
    for number in range(50):
        with transaction.atomic():
            Session.objects.update_or_create(
                session_key=str(number),
                defaults={"session_data": "x" * 50, "expire_date": "2030-01-01T00:00Z"},
            )
            if publishing:
                _publish(number)
    return HttpResponse("done")


def _publish(number: int) -> None:
    from .topics import Journal  # the originals have none

    Journal(name="commits").publish({"number": number})
