"""What Django's users and their libraries put into a session."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import IntegerChoices, TextChoices
from django.utils.functional import lazy
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy
from rest_framework.serializers import CharField, Serializer

from sojourn import EncodeError
from tests.web.django.conftest import Site
from tests.web.django.pages import to


class Status(TextChoices):
    PAID = "paid", gettext_lazy("paid for")


class Level(IntegerChoices):
    LOW = 1


class Item(Serializer):  # type: ignore[misc]  # it has no types
    name = CharField()


ITEMS = Item([{"name": "tea"}], many=True).data
"""A ReturnList, which holds a dict; `Item(...).data` is a ReturnDict."""

VALUES: list[tuple[Any, Any]] = [
    (Status.PAID, "paid"),
    (Level.LOW, 1),
    (Status.PAID.label, "paid for"),
    (Status.choices, [("paid", "paid for")]),
    (gettext_lazy("Hello"), "Hello"),
    (ITEMS, [{"name": "tea"}]),
    (Item({"name": "tea"}).data, {"name": "tea"}),
    (mark_safe("<b>"), SafeString("<b>")),
]


@pytest.mark.parametrize(("value", "base"), VALUES, ids=lambda value: type(value).__name__)
def test_values_of_django_and_its_libraries_come_back_equal(
    site: Site, value: Any, base: Any
) -> None:
    client = site.client()
    client.get(to(lambda request: request.session.update({"value": value})))
    found = []
    client.get(to(lambda request: found.append(request.session["value"])))
    assert found == [base]
    assert [type(it) for it in found] == [type(base)]


def test_a_lazy_value_that_is_no_text_is_refused(site: Site) -> None:
    with pytest.raises(EncodeError, match="could not be turned into a value"):
        site.client().get(
            to(lambda request: request.session.update({"value": lazy(lambda: 1, int)()}))
        )
