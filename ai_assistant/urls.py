"""The addresses: ``path("api/help/", include("ai_assistant.urls"))`` in the site's own."""

from __future__ import annotations

from django.urls import path, re_path

from ai_assistant import views

app_name = "ai_assistant"
urlpatterns = [
    re_path(r"^query/?$", views.help_query, name="query"),
    re_path(r"^stream/?$", views.help_stream, name="stream"),
    re_path(r"^feedback/?$", views.help_feedback, name="feedback"),
    path("widget.js", views.widget, name="widget"),
    path("handshake", views.handshake, name="handshake"),
]
