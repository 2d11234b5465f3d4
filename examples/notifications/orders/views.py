"""The page of one's orders."""

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_POST
from django.views.generic.edit import FormView

from channels.topics import history
from orders.models import Order, mark_as_read, shown_to
from orders.topics import OrdersOf

ITEMS = ("A kettle", "Two chairs", "A lamp", "A bicycle bell", "Six cups", "A map of the coast")


@login_required
def orders(request: HttpRequest) -> HttpResponse:
    # Where the stream is, before the orders are read: it begins there, so that nothing is lost in between.
    offset, epoch = history(OrdersOf(owner=request.user.pk), limit=0).position
    return render(request, "orders/orders.html", {"since": f"{offset}:{epoch}", **shown_to(request.user.pk)})


@login_required
@require_POST
def buy(request: HttpRequest) -> HttpResponse:
    """Order something."""
    count = Order.objects.filter(owner=request.user).count()
    Order.objects.create(owner=request.user, item=ITEMS[count % len(ITEMS)])
    return answer(request)


@login_required
@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Take away the marks of what has changed."""
    mark_as_read(request.user.pk)
    return answer(request)


def answer(request: HttpRequest) -> HttpResponse:
    """Nothing to htmx, as the event stream brings the news; the page to a browser without JavaScript."""
    return HttpResponse(status=204) if "HX-Request" in request.headers else redirect("orders")


class Join(FormView):
    """Choose a name and a password, and be logged in."""

    template_name = "registration/join.html"
    form_class = UserCreationForm
    success_url = reverse_lazy("orders")

    def form_valid(self, form: UserCreationForm) -> HttpResponse:
        login(self.request, form.save())
        return super().form_valid(form)
