"""A benchmark's figures as one picture. `matplotlib` (extra ``[plot]``) is known here alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rag.core.errors import ConfigError, needs_extra

WIDTH_IN, ROW_IN, MARGIN_IN = 9.0, 0.32, 1.6
COLOURS = {"p50": "#2f6f9f", "p95": "#e0a458"}
NAMED = {
    "warm": "streaming, warm",
    "cold": "streaming, cold",
    "stop_to_silence_ms": "streaming, stop to silence",
    "exact_ms": "cache, identical",
    "semantic_ms": "cache, similar",
    "miss_ms": "cache, look-up of a miss",
}
EVENTS = ("first_event_ms", "first_text_ms", "first_token_ms", "last_event_ms")


def check_plot(path: Path) -> None:
    """Raise ConfigError where a picture cannot be made: no matplotlib, no such format or folder."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise ConfigError(needs_extra("--plot", "plot")) from None
    known = sorted(FigureCanvasAgg.get_supported_filetypes())
    if path.suffix.lower().removeprefix(".") not in known:
        raise ConfigError(f"--plot {path}: no known format; known are {' '.join(known)}.")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--plot {path}: there is no folder {path.absolute().parent}.")


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Draw the median and the 95th percentile of every time that was measured.

    Raises: ConfigError as `check_plot`, and when there is nothing to draw or it cannot be written.
    """
    check_plot(path)
    from matplotlib.figure import Figure

    rows = spreads(figures)
    if not rows:
        raise ConfigError("There is no time to draw: nothing was measured.")
    height = MARGIN_IN + ROW_IN * len(rows)
    picture = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axes = picture.add_subplot()
    places = range(len(rows))
    for name, shift in {"p95": 0.2, "p50": -0.2}.items():
        values = [spread[name] for spread in rows.values()]
        bars = axes.barh([p + shift for p in places], values, 0.38, color=COLOURS[name], label=name)
        axes.bar_label(bars, fmt=_number, padding=3, fontsize=7)
    axes.set_yticks(list(places), list(rows))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel("milliseconds (logarithmic scale)")
    axes.set_title(_title(figures["environment"]), fontsize=9)
    axes.legend(loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    try:
        picture.savefig(path, dpi=130)
    except OSError as error:
        raise ConfigError(f"--plot {path} cannot be written: {error}") from None


def spreads(figures: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    """Return every time of a benchmark that has a median, under the name that is drawn."""
    found: dict[str, Mapping[str, float]] = {}
    streaming = figures.get("streaming") or {}
    for state in ("warm", "cold"):
        for event in EVENTS:
            label = f"{NAMED[state]}: {event.removesuffix('_ms').replace('_', ' ')}"
            found[label] = (streaming.get(state) or {}).get(event) or {}
    found[NAMED["stop_to_silence_ms"]] = streaming.get("stop_to_silence_ms") or {}
    for name in ("exact_ms", "semantic_ms", "miss_ms"):
        found[NAMED[name]] = (figures.get("cache") or {}).get(name) or {}
    for one in ((figures.get("embedding") or {}).get("encoders") or {}).values():
        short = one["encoder"].partition("@")[0]
        found[f"{short}: a question"] = one["question_ms"]
        found |= {f"{short}: batch of {n}": batch for n, batch in one["batches"].items()}
    for way, one in ((figures.get("retrieval") or {}).get("ways") or {}).items():
        found[f"search, {way}"] = one["question_ms"]
    return {label: spread for label, spread in found.items() if spread and spread["p50"] > 0}


def _number(value: float) -> str:
    """Return three digits, and never an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _title(environment: Mapping[str, Any]) -> str:
    where, settings = environment["machine"], environment["settings"]
    return (
        f"{where['processor']}, {where['cores']} cores · {settings['model']}, {settings['store']}"
    )
