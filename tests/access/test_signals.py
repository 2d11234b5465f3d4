"""Which of Django's signals announce what."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model, logout
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from channels.access import announcements
from channels.access.announcements import Change
from channels.access.credentials import digest_of
from channels.access.signals import connect_signals, session_ended
from tests.access.sessions import session_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Change]:
    connect_signals()
    connect_signals()
    heard: list[Change] = []
    monkeypatch.setattr(announcements, "_listeners", [heard.append])
    monkeypatch.setattr(announcements, "_carriers", [])
    return heard


@pytest.fixture
def ada() -> Any:
    return get_user_model().objects.create_user("ada")


def taken(heard: list[Change]) -> list[Change]:
    changes = list(heard)
    heard.clear()
    return changes


def test_a_saved_user_is_announced_unless_only_the_login_is_noted(ada: Any, heard: list[Change]) -> None:
    taken(heard)
    ada.save()
    assert taken(heard) == [Change(user=str(ada.pk))]
    ada.last_login = timezone.now()
    ada.save(update_fields=["last_login"])
    assert taken(heard) == []
    ada.save(update_fields=["is_active"])
    assert taken(heard) == [Change(user=str(ada.pk))]
    key = str(ada.pk)
    ada.delete()
    assert taken(heard) == [Change(user=key)]


def test_a_new_user_is_nobody_s_concern(heard: list[Change], ada: Any) -> None:
    assert taken(heard) == []


def test_it_is_announced_at_the_commit_and_not_after_a_rollback(ada: Any, heard: list[Change]) -> None:
    with transaction.atomic():
        ada.save()
        assert taken(heard) == []
    assert taken(heard) == [Change(user=str(ada.pk))]
    with transaction.atomic():
        ada.save()
        transaction.set_rollback(True)
    assert taken(heard) == []


def test_a_logout_announces_the_session_without_its_key(ada: Any, heard: list[Change]) -> None:
    request = HttpRequest()
    request.session, request.user = session_for(ada), ada
    key = request.session.session_key
    assert key
    logout(request)
    assert taken(heard) == [Change(session=digest_of(key))]
    session_ended(None)
    assert taken(heard) == []


def test_permissions_are_announced_from_either_side(ada: Any, heard: list[Change]) -> None:
    mine, everybodys = Change(user=str(ada.pk), permissions=True), Change(permissions=True)
    group = Group.objects.create(name="staff")
    permission = Permission.objects.create(
        codename="fly", content_type=ContentType.objects.get_for_model(Permission)
    )
    taken(heard)
    ada.groups.add(group)
    assert taken(heard) == [mine]
    group.user_set.remove(ada)
    assert taken(heard) == [mine]
    group.user_set.add(ada)
    group.user_set.clear()
    assert taken(heard) == [mine, everybodys]
    permission.user_set.add(ada)
    ada.user_permissions.clear()
    assert taken(heard) == [mine, mine]
    group.permissions.add(permission)
    group.permissions.clear()
    assert taken(heard) == [everybodys, everybodys]
    group.delete()
    assert everybodys in taken(heard)
