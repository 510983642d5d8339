"""A project whose tests are run by `manage.py test` and by pytest-django: the live store stays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test.utils import override_settings

from sojourn import ConfigError, Manager
from sojourn.providers.file import FileProvider
from sojourn.web.django import manager
from tests.servers.process import BUSY

SETTINGS = """
SECRET_KEY = "what signs nothing here but the hash of a password in a session, 50 characters"
USE_TZ = True
ROOT_URLCONF = "pages"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "sojourn.web.django"]
MIDDLEWARE = ["{middleware}", "django.contrib.auth.middleware.AuthenticationMiddleware"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SESSION_ENGINE = "sojourn.web.django"
SOJOURN = {{"provider": "file", "provider_config": "live"{more}}}
"""
PAGES = """
from django.http import HttpResponse
from django.urls import path

def count(request):
    request.session["n"] = request.session.get("n", 0) + 1
    return HttpResponse(request.session["n"])

urlpatterns = [path("count", count)]
"""
TESTS = """
from django.contrib.auth.models import User
from django.test import Client, SimpleTestCase, TestCase
from sojourn.web.django import manager

class Shared(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ada = User.objects.create_user("ada")
        cls.hers = Client()
        cls.hers.force_login(cls.ada)

    def test_one(self):
        self.assertEqual(manager().active_count(), 1)
        self.client.force_login(self.ada)
        self.assertEqual(manager().destroy_user(str(self.ada.pk)), 2)

    test_two = test_one

    def test_what_the_class_put_is_there_again(self):
        self.assertEqual(self.hers.get("/count").content, b"1")
        self.hers.logout()

    test_whichever_comes_first = test_what_the_class_put_is_there_again

class Untouched(SimpleTestCase):
    def test_one(self):
        self.assertEqual(manager().active_count(), 0)
        self.client.get("/count")
        self.assertEqual(manager().active_count(), 1)

    test_two = test_one
"""
FUNCTIONS = """
import pytest
from sojourn.web.django import manager

@pytest.mark.parametrize("number", [1, 2])
def test_no_database(client, number):
    assert manager().active_count() == 0
    assert [client.get("/count").content for _ in range(2)] == [b"1", b"2"]
    assert manager().active_count() == 1

@pytest.mark.parametrize("number", [1, 2])
def test_an_admin(admin_client, number):
    assert manager().destroy_user("1") == 1
"""
MIDDLEWARES = {
    "ours": "sojourn.web.django.SessionMiddleware",
    "djangos": "django.contrib.sessions.middleware.SessionMiddleware",
}
RUNNERS = {
    "manage.py": ["-m", "django", "test"],
    "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "sojourn._pytest"],
}


class Project:
    """A project in a folder, whose live store holds seven sessions of the first user."""

    def __init__(self, folder: Path, *, more: str = "", middleware: str = "ours") -> None:
        self.folder = folder
        settings = SETTINGS.format(middleware=MIDDLEWARES[middleware], more=more)
        files = {"settings": settings, "pages": PAGES, "test_classes": TESTS}
        for name, text in {**files, "test_functions": FUNCTIONS}.items():
            (folder / f"{name}.py").write_text(text)
        (folder / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE=settings\n")
        for _ in range(7):
            with self.live.open({}) as session:
                session.login("1")

    @property
    def live(self) -> Manager:
        return Manager(FileProvider(self.folder / "live"))

    def run(self, runner: str) -> str:
        """Run the tests of the project, and return what was said."""
        paths = [str(self.folder), *(str(Path(path).resolve()) for path in sys.path)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "DJANGO_SETTINGS_MODULE": "settings",
        }
        done = subprocess.run(
            [sys.executable, *RUNNERS[runner]],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60 + 10 * BUSY,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.mark.parametrize("middleware", MIDDLEWARES)
@pytest.mark.parametrize("runner", RUNNERS)
def test_the_tests_of_a_project_leave_its_live_store_alone(
    tmp_path: Path, runner: str, middleware: str
) -> None:
    project = Project(tmp_path, middleware=middleware)
    before = {info.id for info in project.live.sessions("1")}
    said = project.run(runner)
    assert {info.id for info in project.live.sessions()} == before
    assert len(before) == 7
    if runner == "manage.py":
        assert "sojourn.I001" in said
        assert "Ran 6 tests" in said
    else:
        assert "10 passed" in said


def test_another_store_may_be_named_for_the_tests(tmp_path: Path) -> None:
    more = ', "TEST": {"provider": "file", "provider_config": "tests"}'
    project = Project(tmp_path, more=more)
    (tmp_path / "test_functions.py").unlink()
    (tmp_path / "test_classes.py").write_text(
        "from django.test import SimpleTestCase\n"
        "class Test(SimpleTestCase):\n"
        "    def test(self):\n"
        "        self.client.get('/count')\n"
    )
    assert "I001" not in project.run("manage.py")
    assert project.live.active_count() == 7
    assert Manager(FileProvider(tmp_path / "tests")).active_count() == 1


@pytest.fixture
def wrong() -> Iterator[None]:
    with override_settings(SOJOURN={"provider": "memory", "TEST": "secret"}):
        yield


def test_a_store_for_the_tests_that_is_not_named_is_refused(wrong: None) -> None:
    with pytest.raises(ConfigError, match=r"SOJOURN\['TEST'\].*provider") as caught:
        manager()
    assert "secret" not in str(caught.value)
