"""The Django application: it gives the site's settings to Souffleur, and has them checked."""

from __future__ import annotations

from django.apps import AppConfig


class AiAssistantConfig(AppConfig):
    """Stand in ``INSTALLED_APPS`` as ``"ai_assistant"``."""

    name = "ai_assistant"
    verbose_name = "Souffleur"

    def ready(self) -> None:
        """Give the site's settings to Souffleur; nothing is opened before a question comes."""
        from ai_assistant import checks  # noqa: F401 (it registers itself)
        from ai_assistant.conf import site_settings
        from ai_assistant.management import manage_command
        from rag.config.settings import give
        from rag.core.invocation import name_commands

        give(site_settings)
        name_commands(manage_command)
