"""A Django project as a site's developer has it: made by django-admin, run by its own processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.pipeline import run
from rag.config.settings import Settings
from rag.encoders import bundled_encoder
from rag.stores import open_store
from tests.scripted import wait_until
from tests.server.running import START_S, STOP_S, Running, answers

ROOT = Path(__file__).parent.parent.parent
COMMAND_S = 120.0
PAGE = "/page/"
LISTENS = re.compile(r"http://127\.0\.0\.1:(\d+)")
SETTINGS = """
INSTALLED_APPS += ["ai_assistant"]
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
CSRF_TRUSTED_ORIGINS = ["https://trusted.example", "https://*.wide.example"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
AI_ASSISTANT_DATA_DIR = BASE_DIR / ".souffleur"
AI_ASSISTANT_DEGRADED_MODE = True
AI_ASSISTANT_RATE_LIMIT = "none"
import os
for name, value in os.environ.items():
    if name.startswith("SITE_"):
        globals()[name.removeprefix("SITE_")] = eval(value)
"""
URLS = """
from django.http import HttpResponse
from django.template import RequestContext, Template
from django.urls import include, path

def page(request):
    if "nonce" in request.GET:
        request.csp_nonce = request.GET["nonce"]
    text = '{% load ai_assistant %}<!doctype html><html lang="fr"><title>Page</title>'
    text += '<body>{% help_widget title="L\\'aide" %}'
    return HttpResponse(Template(text).render(RequestContext(request)))

urlpatterns = [path("api/help/", include("ai_assistant.urls")), path("page/", page)]
"""
LANGUAGES = """
from django.conf.urls.i18n import i18n_patterns
from site1 import urls
urlpatterns = i18n_patterns(*urls.urlpatterns)
"""
ASGI = """
from ai_assistant.asgi import with_help
application = with_help(application)
"""
RULES = """
from django.contrib.auth.models import User

def nobody(request):
    return False

def with_badge(request):
    # a query, which Django refuses on an event loop
    return request.COOKIES.get("badge") == "yes" or User.objects.filter(pk=1).exists()

async def with_badge_awaited(request):
    return request.COOKIES.get("badge") == "yes"
"""


def environment(**settings: object) -> dict[str, str]:
    """Return the environment of a project's process; the data folder is the project's own."""
    kept = {name: value for name, value in os.environ.items() if name != "HELP_DATA_DIR"}
    return kept | {"PYTHONPATH": str(ROOT)} | {name: str(one) for name, one in settings.items()}


def make_project(folder: Path, pages: Path) -> Path:
    """Make a project with the application, and index the pages. Returns the project's folder."""
    folder.mkdir()
    made = [sys.executable, "-m", "django", "startproject", "site1", "."]
    subprocess.run(made, cwd=folder, check=True, timeout=COMMAND_S)
    written = {"settings": SETTINGS, "asgi": ASGI, "rules": RULES, "languages": LANGUAGES}
    for name, text in written.items():
        with (folder / "site1" / f"{name}.py").open("a", encoding="utf-8") as file:
            file.write(text)
    (folder / "site1" / "urls.py").write_text(URLS, encoding="utf-8")
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=folder,
        env=environment(),
        check=True,
        timeout=COMMAND_S,
    )
    store = open_store(Settings(data_dir=folder / ".souffleur"))
    run([pages], store, bundled_encoder())
    store.close()
    return folder


def manage(
    project: Path, *arguments: object, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run a command of `manage.py` to its end; ``settings`` are its environment."""
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=project,
        env=environment(**settings),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=COMMAND_S,
        check=False,
    )


@contextmanager
def wsgi(project: Path, **settings: object) -> Iterator[Running]:
    """Serve the project as `runserver` does, without WebSockets."""
    port = _free_port()
    command = ["manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with _served(project, command, port, settings) as running:
        yield running


@contextmanager
def asgi(project: Path, first: str = PAGE, **settings: object) -> Iterator[Running]:
    """Serve the project by uvicorn, with WebSockets; it is ready when ``first`` answers."""
    port = _free_port()
    command = ["-m", "uvicorn", "site1.asgi:application", "--port", str(port)]
    with _served(project, command, port, settings, first) as running:
        yield running


@contextmanager
def _served(
    project: Path, command: list[str], port: int, settings: dict[str, object], first: str = PAGE
) -> Iterator[Running]:
    log_file = project / f"served-{port}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=project,
            env=environment(PYTHONUNBUFFERED=1, **settings),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    running = Running(url, process, project / ".souffleur", log_file)
    try:
        ended = wait_until(lambda: process.poll() is not None or answers(url + first), START_S)
        assert ended and process.poll() is None, running.log()
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
