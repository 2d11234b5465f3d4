"""The one page: all instruments, and whoever looks gets the prices of those on the screen."""

from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.views.generic.edit import FormView

from market.models import Instrument


def market(request: HttpRequest) -> HttpResponse:
    instruments = list(Instrument.objects.values_list("symbol", "name", "opening"))
    user = request.user
    stars = list(user.stars.values_list("instrument__symbol", flat=True)) if user.is_authenticated else []
    return render(request, "market/market.html", {"instruments": instruments, "stars": stars})


class Join(FormView):
    """Choose a name and a password, and be logged in."""

    template_name = "registration/join.html"
    form_class = UserCreationForm
    success_url = reverse_lazy("market")

    def form_valid(self, form: UserCreationForm) -> HttpResponse:
        login(self.request, form.save())
        return super().form_valid(form)
