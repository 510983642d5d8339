"""What people do on a site with django-allauth.  `manage.py test` runs it, in `test_allauth`."""

from __future__ import annotations

import re
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client, TestCase

from sojourn.web.django import manager

PASSWORD = "correct horse battery staple"


class Journey(TestCase):
    """Starts with nobody signed in."""

    def known(self) -> User:
        user = User.objects.create_user("ada", "ada@example.com", PASSWORD)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user

    def sign_in(self, client: Client) -> None:
        said = {"login": "ada@example.com", "password": PASSWORD}
        self.assertRedirects(client.post("/accounts/login/", said), "/accounts/email/")

    def is_signed_in(self, client: Client) -> bool:
        return client.get("/accounts/email/").status_code == 200


class SignUps(Journey):
    """By an address that has to be verified."""

    def test_a_new_user_verifies_the_address_and_signs_in_and_out(self) -> None:
        said = {"email": "eve@example.com", "password1": PASSWORD, "password2": PASSWORD}
        answer: Any = self.client.post("/accounts/signup/", said)
        self.assertRedirects(answer, "/accounts/confirm-email/")
        assert not self.is_signed_in(self.client)
        [link] = re.findall(
            r"http://testserver(/accounts/confirm-email/\S+)", str(mail.outbox[0].body)
        )
        self.client.post(link)
        said = {"login": "eve@example.com", "password": PASSWORD}
        self.client.post("/accounts/login/", said)
        assert self.is_signed_in(self.client)
        user = str(User.objects.get().pk)
        assert [info.user for info in manager().sessions()] == [user]
        self.client.post("/accounts/logout/")
        assert not self.is_signed_in(self.client)
        assert list(manager().sessions(user)) == []


class SocialSignIns(Journey):
    """By the dummy provider, which goes the way of the real ones."""

    def test_a_social_sign_in(self) -> None:
        answer: Any = self.client.post("/accounts/dummy/login/")
        assert answer.status_code == 302
        said = {"id": 7, "email": "bo@example.com", "email_verified": "on"}
        answer = self.client.post(answer["Location"], said)
        assert answer.status_code == 302
        assert self.is_signed_in(self.client)
        again = Client()
        answer = again.post("/accounts/dummy/login/")
        again.post(answer["Location"], said)
        assert self.is_signed_in(again)
        assert len(list(manager().sessions(str(User.objects.get().pk)))) == 2

    def test_a_state_is_good_for_one_social_sign_in(self) -> None:
        answer: Any = self.client.post("/accounts/dummy/login/")
        said = {"id": 7, "email": "bo@example.com", "email_verified": "on"}
        self.client.post(answer["Location"], said)
        other = Client()
        assert other.post(answer["Location"], said).status_code == 403
        assert not self.is_signed_in(other)


class Lists(Journey):
    """Of the sessions that a user has."""

    def test_sessions_are_listed_and_ended(self) -> None:
        user = self.known()
        phone, laptop = Client(), Client()
        for each in (phone, laptop):
            self.sign_in(each)
        page: Any = laptop.get("/accounts/sessions/")
        assert len(page.context["sessions"]) == 2
        self.assertContains(page, "Current", count=1)
        assert self.is_signed_in(phone)
        laptop.post("/accounts/sessions/")
        assert not self.is_signed_in(phone)
        assert self.is_signed_in(laptop)
        assert UserSession.objects.filter(user=user).count() == 1
        assert len(list(manager().sessions(str(user.pk)))) == 1

    def test_one_session_is_ended_elsewhere(self) -> None:
        self.known()
        phone, laptop = Client(), Client()
        self.sign_in(phone)
        row = UserSession.objects.get()
        assert len(row.session_key) <= 40
        self.sign_in(laptop)
        assert row.exists()
        row.end()
        assert not row.exists()
        assert not self.is_signed_in(phone)
        assert self.is_signed_in(laptop)
