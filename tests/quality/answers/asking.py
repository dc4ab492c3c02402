"""Ask a manual's questions of an index of its own, made for this run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rag.core.answers import Answer
from souffleur import Settings, index_folder, open_assistant
from tests.quality.answers.cases import Case

PATIENT_S = 60.0  # nothing is late on a busy machine


@dataclass(frozen=True, slots=True)
class Shown:
    """Hold a case and its answer."""

    case: Case
    answer: Answer


def ask_all(folder: Path, cases: Sequence[Case]) -> list[Shown]:
    """Index a manual's pages and return every case's answer, without a model.

    Raises: CorpusError when the folder holds no page.
    """
    with TemporaryDirectory() as data:
        settings = Settings(data_dir=Path(data), timeout_s=PATIENT_S)
        report = index_folder(folder, settings=settings)
        print(f"  {report.pages} pages in {report.seconds:.1f} s", file=sys.stderr)
        return asyncio.run(_ask(settings, cases))


async def _ask(settings: Settings, cases: Sequence[Case]) -> list[Shown]:
    assistant = open_assistant(settings, use_model=False)
    try:
        await assistant.load()
        return [Shown(case, await assistant.answer(case.question)) for case in cases]
    finally:
        await assistant.close()
