"""What `manage.py check` finds: wrong settings, a rule that is not there, no urls, no index."""

from __future__ import annotations

import difflib
import os
import re
from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from ai_assistant.access import access_rule
from ai_assistant.conf import OWN, PREFIX, assistant_settings, site_name
from ai_assistant.management import manage_command
from rag.core.errors import ConfigError

TAG = "ai_assistant"
VARIABLE = re.compile(r"(?<=^  )[A-Z][A-Z_0-9]+", re.MULTILINE)  # as in a ConfigError
Found = list[checks.CheckMessage]


@checks.register(TAG)
def check_settings(app_configs: Any, **kwargs: Any) -> Found:
    """Find settings with a wrong value, and names that are none of ours."""
    from rag.config.settings import load_settings
    from rag.server.settings import load_server_settings

    found: Found = []
    for load in (load_settings, load_server_settings):
        try:
            load()
        except ConfigError as error:
            found.append(_wrong(str(error)))
    known = OWN.union(*(map(site_name, names) for names in _aliases().values()))
    return found + [_unknown(name, known) for name in sorted(assistant_settings().keys() - known)]


@checks.register(TAG)
def check_access(app_configs: Any, **kwargs: Any) -> Found:
    """Find a rule of access that cannot be asked."""
    try:
        access_rule()
    except ImproperlyConfigured as error:
        hint = "Write the dotted path of a function of one request that returns True or False."
        return [checks.Error(str(error), hint=hint, id="ai_assistant.E002")]
    return []


@checks.register(TAG)
def check_urls(app_configs: Any, **kwargs: Any) -> Found:
    """Find that the addresses are not among the site's."""
    try:
        reverse("ai_assistant:query")
    except NoReverseMatch:
        hint = 'Add path("api/help/", include("ai_assistant.urls")) to the urlpatterns.'
        return [checks.Warning("The help has no address.", hint=hint, id="ai_assistant.W002")]
    except (ImproperlyConfigured, AttributeError):
        pass  # a site without ROOT_URLCONF
    return []


@checks.register(TAG)
def check_index(app_configs: Any, **kwargs: Any) -> Found:
    """Find that nothing is indexed; a server of Elasticsearch is not asked."""
    from rag.config.settings import load_settings
    from rag.stores import INDEX_FILE

    try:
        settings = load_settings()
    except ConfigError:
        return []  # told above
    if settings.uses_elasticsearch or (settings.data_dir / INDEX_FILE).exists():
        return []
    said = f"There is no index in {settings.data_dir.absolute()}."
    hint = f"Run: {manage_command('index FOLDER')}. Another place: AI_ASSISTANT_DATA_DIR."
    return [checks.Warning(said, hint=hint, id="ai_assistant.W003")]


def _wrong(said: str) -> checks.Error:
    """Return what is wrong, under the names of the site's settings where it is those."""
    wrong = said.partition("\nCorrect it ")[0]  # that names every place but the site's settings
    named = VARIABLE.sub(lambda found: _name_in_force(found[0]), wrong)
    hint = (
        f"Correct {PREFIX}… names in the site's settings, others where they stand: environment,"
        " .env, saved switches. The environment's win over the site's."
    )
    return checks.Error(named, hint=hint, id="ai_assistant.E001")


def _name_in_force(variable: str) -> str:
    """Return the name under which a setting was read: the environment's, else the site's."""
    aliases = _aliases().get(variable, [variable])
    if any(alias in os.environ for alias in aliases):
        return variable
    names = (name for name in map(site_name, aliases) if name in assistant_settings())
    return next(names, variable)


def _aliases() -> dict[str, list[str]]:
    """Return the environment's names of every setting, by the first of them."""
    from rag.config.settings import Settings
    from rag.server.settings import ServerSettings

    fields = (*Settings.model_fields.values(), *ServerSettings.model_fields.values())
    choices = [[str(one) for one in getattr(f.validation_alias, "choices", ())] for f in fields]
    return {names[0]: names for names in choices if names}


def _unknown(name: str, known: set[str]) -> checks.Warning:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"docs/django.md names what {PREFIX}… there is."
    said = f"{name} is no setting of Souffleur."
    return checks.Warning(said, hint=hint, id="ai_assistant.W001")
