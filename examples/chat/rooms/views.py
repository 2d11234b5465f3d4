"""The pages: the list of rooms, one room, and joining the chat with a new name."""

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from rooms.forms import RoomForm
from rooms.models import Reading, Room
from rooms.topics import unread_lines


@login_required
def room_list(request: HttpRequest) -> HttpResponse:
    """Show the rooms; POST enters one and makes it first if it is new."""
    form = RoomForm(request.POST or None)
    if form.is_valid():
        room, _ = Room.objects.get_or_create(slug=form.cleaned_data["slug"])
        return redirect("live", slug=room.slug)
    return render(request, "rooms/list.html", {"rooms": unread_lines(request.user), "form": form})


@login_required
def room(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of one room; what is said comes over its WebSocket."""
    return render(request, "rooms/room.html", {"room": get_object_or_404(Room, slug=slug)})


@login_required
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of one room as a topic: it keeps what was said, and shows who is there."""
    read = Reading.of(slug, request.user)
    return render(request, "rooms/live.html", {"room": get_object_or_404(Room, slug=slug), "read": read})


def join(request: HttpRequest) -> HttpResponse:
    """Sign up: a name and a password, and in."""
    form = UserCreationForm(request.POST or None)
    if form.is_valid():
        login(request, form.save())
        return redirect("rooms")
    return render(request, "registration/join.html", {"form": form})
