"""What can go wrong, split by what the caller can do about it.

HelpError                    base: the message says what, where, and the command that cures it
├── ConfigError              a setting is wrong or an extra is missing: change it, start again
├── QuestionRefused          a question is too long to be read
├── CorpusError              a page cannot be read: the run goes on without it
├── DatasetError             questions to evaluate with are missing or broken: correct the file
├── EncoderError             text could not be turned into vectors
├── IndexFault
│   ├── IndexMissing         nothing is indexed yet: run `index`
│   ├── IndexMismatch        the index was made by another encoder or schema: rebuild it
│   └── IndexBusy            another run is writing the index: wait for it
├── SearchUnavailable        the store does not answer: degrade
├── ModelUnavailable         the language model does not answer: degrade
├── ServiceStopping          the process is about to end: ask again when it is back
└── DeadlineExceeded         the time is up: answer with what there is
"""

from __future__ import annotations

from rag.core.invocation import install_command


def needs_extra(what: str, extra: str) -> str:
    """Return the message for an optional package that is missing, with what installs it."""
    return f"{what} needs an extra package: {install_command(extra)}"


class HelpError(Exception):
    """Stand for every error that Souffleur explains to its user."""


class ConfigError(HelpError):
    """Say that a setting is wrong or that an optional package is missing."""


class QuestionRefused(HelpError):
    """Say that a question is not read, and what one that is looks like."""


class CorpusError(HelpError):
    """Say that a page cannot be read; ``reason`` is fit for the list of skipped pages."""

    def __init__(self, page: str, reason: str) -> None:
        super().__init__(f"{page}: {reason}")
        self.page = page
        self.reason = reason


class DatasetError(HelpError):
    """Say that questions, pages or judgements to evaluate with are missing or broken."""


class EncoderError(HelpError):
    """Say that text could not be turned into vectors."""


class IndexFault(HelpError):
    """Group what is wrong with an index as a whole."""


class IndexMissing(IndexFault):
    """Say that there is no index to search."""


class IndexMismatch(IndexFault):
    """Say that the index was made by another encoder, dimension or schema."""


class IndexBusy(IndexFault):
    """Say that another run is writing this index."""


class SearchUnavailable(HelpError):
    """Say that the store does not answer."""


class ModelUnavailable(HelpError):
    """Say that the language model does not answer; ``reason`` is fit for an answer's reader."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class ServiceStopping(HelpError):
    """Say that no question is taken any more, since the process is about to end."""


class DeadlineExceeded(HelpError):
    """Say that the time of a question is up."""
