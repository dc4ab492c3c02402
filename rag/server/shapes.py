"""What the help endpoints take and send, as their documentation shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE_ID = "0b2b6c1e-7c56-4c8e-9d52-6f0d6a7f1c11"


class HelpQuery(BaseModel):
    """Hold what an asker sends."""

    question: str = Field(
        description="In French or English", examples=["Comment créer un client ?"]
    )
    page: str = Field(
        "",
        description="Where on the site the asker is: a path, an address, or a help page's id;"
        " pages near it come first",
        examples=["/clients/"],
    )
    title: str = Field(
        "", description="Title of that page of the site", examples=["Clients – MonChai"]
    )
    conversation_id: str | None = Field(
        None,
        max_length=200,
        description="Any text that stands for the conversation; of 16 characters or more (a UUID),"
        " it keeps what was asked before, so that a follow-up is understood",
        examples=[EXAMPLE_ID],
    )


class SourceBody(BaseModel):
    """Name a place in the help pages."""

    n: int = Field(description="The number by which the text cites it: `[n]`", examples=[1])
    title: str = Field(examples=["Créer un client"])
    heading: str = Field(description="Headings below the title", examples=["Étapes"])
    url: str = Field(examples=["https://aide.example.fr/clients/creer#etapes"])
    page: str = Field(description="The page's id", examples=["clients/creer.md"])
    score: float = Field(examples=[0.83])


class ActionBody(BaseModel):
    """Name a screen of the site that the answer's page leads to."""

    label: str = Field(examples=["Nouveau client"])
    url: str = Field(examples=["/clients/nouveau/"])


class UsageBody(BaseModel):
    """Hold what writing the answer cost."""

    prompt_tokens: int
    output_tokens: int
    prompt_s: float
    output_s: float
    load_s: float
    ended: Literal["stop", "length"]


class PageBody(BaseModel):
    """Name a help page for its readers."""

    title: str = Field(examples=["Créer un client"])
    url: str = Field(examples=["https://aide.example.fr/clients/creer"])


class AnswerBody(BaseModel):
    """Hold a whole answer."""

    model_config = ConfigDict(protected_namespaces=())

    text: str = Field(
        description="The answer, in a subset of Markdown; `[n]` cites a source",
        examples=["Ouvrez Clients puis cliquez sur Nouveau client [1]."],
    )
    page_effective: str | None = Field(
        description="The help page that the answer is about", examples=["clients/creer.md"]
    )
    see_also: list[str] = Field(
        description="Other pages: those that it links, then those that were found",
        examples=[["clients/fusionner.md"]],
    )
    degraded: bool = Field(description="Whether the model had no part in it", examples=[False])
    reason: str | None = Field(
        description="Why the text is an extract, in the question's language", examples=[None]
    )
    reason_code: str | None = Field(
        description="Name of that reason in any language: off, late, busy, unreachable…",
        examples=[None],
    )
    sources: list[SourceBody] = Field(description="What the text rests on")
    retrieved: list[SourceBody] = Field(description="What the search found")
    actions: list[ActionBody] = Field(description="Screens of the site to go to")
    cached: Literal["exact", "semantic"] | None = Field(
        description="Whether it was kept: for the same question, or for one that means the same",
        examples=[None],
    )
    legs: list[str] = Field(
        description="Which searches found something", examples=[["bm25", "knn"]]
    )
    timings: dict[str, float] = Field(description="In ms", examples=[{"total_ms": 1830.2}])
    answered: bool = Field(
        description="Whether the pages answer; else the text names the nearest", examples=[True]
    )
    truncated: bool = Field(description="Whether the time ended the text", examples=[False])
    unsupported: int = Field(
        description="Sentences of the model left out, since no page says so", examples=[0]
    )
    model: str | None = Field(description="The model that wrote it", examples=["phi3:mini"])
    usage: UsageBody | None = Field(description="What that cost", examples=[None])
    answer_id: str = Field(
        description="What feedback names", examples=["7d0a8c0e1d9b4a30a4b6c0c1f0c5a5d1"]
    )
    lang: Literal["fr", "en"] = Field(description="Language of the answer", examples=["fr"])
    conversation_id: str | None = Field(description="As it was sent", examples=[EXAMPLE_ID])
    pages: dict[str, PageBody] = Field(
        description="Title and address of `page_effective` and `see_also`, by id"
    )
