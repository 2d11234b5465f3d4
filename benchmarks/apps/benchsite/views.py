from django.http import HttpRequest, HttpResponse


def page(request: HttpRequest) -> HttpResponse:
    """A sync view, as most are; what costs time is the way to it and back."""
    return HttpResponse("<!doctype html><title>Benchmark</title><p>Hello, reader.</p>")
