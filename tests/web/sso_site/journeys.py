"""What people do on a site that others sign in for.  `manage.py test` runs it, in `test_sso`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import responses
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, TestCase
from django.utils import timezone
from django_cas_ng.models import SessionTicket
from freezegun import freeze_time

from sojourn.web.django import manager

ANONYMOUS = [None, None, None]
CAS_SAYS = """<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationSuccess>
<cas:user>{user}</cas:user></cas:authenticationSuccess></cas:serviceResponse>"""
CAS_ENDS = """<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="1" Version="2.0">
<samlp:SessionIndex>{ticket}</samlp:SessionIndex></samlp:LogoutRequest>"""


def key_of(name: str) -> str:
    return str(User.objects.get(username=name).pk)


class Visitor(Client):
    """A browser."""

    def who(self) -> Any:
        return self.get("/").json()


class SingleSignOn(TestCase):
    """With CAS."""

    def sign_in(self, visitor: Visitor, user: str, ticket: str) -> None:
        with responses.RequestsMock() as cas:
            cas.get(f"{settings.CAS_SERVER_URL}p3/serviceValidate", body=CAS_SAYS.format(user=user))
            assert visitor.get("/cas/login", {"ticket": ticket}).status_code == 302

    def sign_out_there(self, ticket: str) -> None:
        """The server of CAS says so, in a request of its own."""
        self.client.post("/cas/callback", {"logoutRequest": CAS_ENDS.format(ticket=ticket)})

    def test_a_sign_in_keeps_the_cart_under_a_new_key(self) -> None:
        visitor = Visitor()
        visitor.get("/fill")
        before = visitor.cookies["sessionid"].value
        self.sign_in(visitor, "ada", "ST-1")
        assert visitor.who() == ["ada", key_of("ada"), ["tent"]]
        assert visitor.cookies["sessionid"].value != before
        assert manager().active_count() == 1

    def test_a_single_sign_out_ends_that_session_alone(self) -> None:
        phone, laptop, bob = Visitor(), Visitor(), Visitor()
        phone.get("/fill")
        self.sign_in(phone, "ada", "ST-1")
        self.sign_in(laptop, "ada", "ST-2")
        self.sign_in(bob, "bob", "ST-3")
        assert phone.who()[0] == laptop.who()[0] == "ada"
        self.sign_out_there("ST-1")
        assert phone.who() == ANONYMOUS
        assert laptop.who()[0] == "ada"
        assert bob.who()[0] == "bob"
        assert SessionTicket.objects.count() == len(list(manager().sessions())) == 2
        self.sign_out_there("ST-1")
        self.sign_out_there("forged")
        assert manager().active_count() == 2

    def test_a_sign_out_here(self) -> None:
        visitor = Visitor()
        self.sign_in(visitor, "ada", "ST-1")
        assert visitor.get("/cas/logout").status_code == 302
        assert visitor.who() == ANONYMOUS
        assert manager().active_count() == SessionTicket.objects.count() == 0

    def test_tickets_of_sessions_that_ended_are_cleaned(self) -> None:
        """As `manage.py django_cas_ng_clean_sessions` does."""
        phone, laptop = Visitor(), Visitor()
        self.sign_in(phone, "ada", "ST-1")
        self.sign_in(laptop, "bob", "ST-2")
        manager().destroy_user(key_of("ada"))
        SessionTicket.clean_deleted_sessions()
        assert [ticket.ticket for ticket in SessionTicket.objects.all()] == ["ST-2"]
        assert laptop.who()[0] == "bob"


class OpenIDConnect(TestCase):
    """With mozilla-django-oidc."""

    def begin(self, visitor: Visitor, path: str = "/oidc/authenticate/") -> dict[str, str]:
        """Go to the provider; return what it is asked."""
        answer: Any = visitor.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith(settings.OIDC_OP_AUTHORIZATION_ENDPOINT)
        return {name: said for name, [said] in parse_qs(urlsplit(answer["Location"]).query).items()}

    def come_back(self, visitor: Visitor, asked: dict[str, str], email: str) -> Any:
        claims = {"email": email, "nonce": asked["nonce"]}
        token = jwt.encode(claims, settings.OIDC_RP_CLIENT_SECRET, "HS256")
        with responses.RequestsMock(assert_all_requests_are_fired=False) as provider:
            provider.post(
                settings.OIDC_OP_TOKEN_ENDPOINT, json={"id_token": token, "access_token": "at"}
            )
            provider.get(settings.OIDC_OP_USER_ENDPOINT, json=claims)
            return visitor.get("/oidc/callback/", {"code": "c", "state": asked["state"]})

    def sign_in(self, visitor: Visitor, email: str = "ada@example.org") -> str:
        """Sign in; return the key of the user."""
        self.come_back(visitor, self.begin(visitor), email)
        return str(User.objects.get(email=email).pk)

    def test_a_sign_in_keeps_the_cart_under_a_new_key(self) -> None:
        visitor = Visitor()
        visitor.get("/fill")
        before = visitor.cookies["sessionid"].value
        key = self.sign_in(visitor)
        assert visitor.who()[1:] == [key, ["tent"]]
        assert visitor.cookies["sessionid"].value != before
        assert visitor.session["oidc_access_token"] == "at"
        assert [info.user for info in manager().sessions()] == [key]

    def test_two_tabs_begin_and_both_come_back(self) -> None:
        visitor = Visitor()
        one, other = self.begin(visitor), self.begin(visitor)
        for asked in (one, other):
            assert self.come_back(visitor, asked, "ada@example.org").status_code == 302
        assert visitor.who()[0] is not None
        assert manager().active_count() == 1

    def test_a_state_is_good_for_one_sign_in_of_one_browser(self) -> None:
        visitor, other = Visitor(), Visitor()
        asked = self.begin(visitor)
        other.get("/fill")
        self.come_back(other, asked, "eve@example.org")
        assert other.who() == [None, None, ["tent"]]
        self.come_back(visitor, asked, "ada@example.org")
        assert self.come_back(visitor, asked, "eve@example.org").status_code == 400
        assert User.objects.get(pk=visitor.who()[1]).email == "ada@example.org"

    def test_a_session_is_refreshed_when_the_token_of_the_provider_has_expired(self) -> None:
        visitor = Visitor()
        key = self.sign_in(visitor)
        visitor.get("/fill")
        with freeze_time(timezone.now() + timedelta(seconds=901), tick=True):
            asked = self.begin(visitor, "/")
            assert asked["prompt"] == "none"
            self.come_back(visitor, asked, "ada@example.org")
            assert visitor.who()[1:] == [key, ["tent"]]
        assert len(list(manager().sessions(key))) == 1

    def test_who_is_signed_out_there_is_signed_out_here(self) -> None:
        """The provider answers a refresh with an error."""
        visitor = Visitor()
        self.sign_in(visitor)
        with freeze_time(timezone.now() + timedelta(seconds=901), tick=True):
            asked = self.begin(visitor, "/")
            said = {"error": "login_required", "state": asked["state"]}
            assert visitor.get("/oidc/callback/", said).status_code == 302
            assert visitor.who() == ANONYMOUS
        assert manager().active_count() == 0

    def test_a_sign_out_here(self) -> None:
        visitor, other = Visitor(), Visitor()
        key = self.sign_in(visitor)
        self.sign_in(other)
        visitor.post("/oidc/logout/")
        assert visitor.who() == ANONYMOUS
        assert other.who()[1] == key
        manager().destroy_user(key)
        assert other.who() == ANONYMOUS
