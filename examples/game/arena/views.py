"""The lobby and the matches."""

from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.generic.edit import FormView

from arena.models import Match


def lobby(request: HttpRequest) -> HttpResponse:
    """Show the matches; POST begins one."""
    if request.method == "POST" and request.user.is_authenticated:
        return redirect(Match.objects.create())
    return render(request, "arena/lobby.html", {"matches": Match.objects.all()[:20]})


def match(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a match: to players and to spectators."""
    found = get_object_or_404(Match, pk=pk)
    facts = {"topic": f"match:{pk}", "me": request.user.pk, "over": found.over}
    return render(request, "arena/match.html", {"match": found, "facts": facts})


class Join(FormView):
    """Choose a name and a password, and be logged in."""

    template_name = "registration/join.html"
    form_class = UserCreationForm
    success_url = reverse_lazy("lobby")

    def form_valid(self, form: UserCreationForm) -> HttpResponse:
        login(self.request, form.save())
        return super().form_valid(form)
