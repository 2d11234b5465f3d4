"""The one page: all devices, and what is wanted of them."""

import time

from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.views.generic.edit import FormView

from channels.topics import history
from fleet.models import Device
from fleet.topics import Fleet


def fleet(request: HttpRequest) -> HttpResponse:
    """Show what the database has, and from where on the page is told what changes."""
    position = history(Fleet(), limit=0).position  # before the devices are read: nothing is between the two
    facts = {
        "devices": list(Device.objects.values_list("name", "site", "rated", "wanted")),
        "position": {"offset": position.offset, "epoch": position.epoch},
        "now": time.time_ns() // 1_000_000,
        "may_switch": request.user.is_authenticated,
    }
    return render(request, "fleet/fleet.html", {"facts": facts})


class Join(FormView):
    """Choose a name and a password, and be logged in."""

    template_name = "registration/join.html"
    form_class = UserCreationForm
    success_url = reverse_lazy("fleet")

    def form_valid(self, form: UserCreationForm) -> HttpResponse:
        login(self.request, form.save())
        return super().form_valid(form)
