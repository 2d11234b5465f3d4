"""The list of documents, and the page of one."""

from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.generic.edit import FormView

from documents.models import Document
from documents.people import shown_as


@login_required
def documents(request: HttpRequest) -> HttpResponse:
    """Show all documents; POST makes a new one."""
    title = request.POST.get("title", "").strip()
    if request.method == "POST" and title:
        return redirect(Document.objects.create(owner=request.user, title=title[:80]))
    return render(
        request, "documents/list.html", {"documents": Document.objects.select_related("owner")[:50]}
    )


@login_required
def document(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a document; POST lets somebody write it, if the owner says so."""
    found = get_object_or_404(Document, pk=pk)
    problem = ""
    if request.method == "POST" and found.owner == request.user:
        writer = get_user_model().objects.filter(username=request.POST.get("name", "")).first()
        if writer is not None:
            found.writers.add(writer)
            return redirect(found)
        problem = "Nobody has that name."
    user = shown_as(request.user.get_username())
    facts = {"pk": pk, "user": user, "writes": found.may_write(request.user)}
    return render(request, "documents/document.html", {"document": found, "facts": facts, "problem": problem})


class Join(FormView):
    """Choose a name and a password, and be logged in."""

    template_name = "registration/join.html"
    form_class = UserCreationForm
    success_url = reverse_lazy("documents")

    def form_valid(self, form: UserCreationForm) -> HttpResponse:
        login(self.request, form.save())
        return super().form_valid(form)
