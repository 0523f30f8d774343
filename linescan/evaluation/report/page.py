"""One HTML file with all figures and pictures in it: it needs no other file and no network."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from linescan.evaluation.figures.objects import HEIGHTS, SIZES, Rate
from linescan.evaluation.judging.catalogue import FIGURES, Absent, Figure
from linescan.evaluation.judging.gallery import Shown
from linescan.evaluation.judging.verdict import Verdict
from linescan.evaluation.report.document import over_best_baseline
from linescan.evaluation.report.style import STYLE
from linescan.evaluation.report.words import NONE, figure_text, missing, unit_text
from linescan.version import __version__

GOOD = {"low": "lower is better", "high": "higher is better", "one": "1 is best", "info": ""}


def to_page(verdicts: Sequence[Verdict]) -> str:
    """The page, UTF-8 text; the verdicts of a data set stand beside each other."""
    names = ", ".join(dict.fromkeys(verdict.model.name for verdict in verdicts))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Evaluation: {escape(names)}</title><style>{STYLE}</style></head><body><main>",
        "<h1>Height against truth</h1>",
        f'<p class="faint">{escape(names)} · linescan {escape(__version__)}</p>',
    ]
    for _, group in groupby(verdicts, key=lambda verdict: verdict.data_set):
        parts += _data_set(list(group), verdicts)
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _data_set(here: list[Verdict], verdicts: Sequence[Verdict]) -> Iterator[str]:
    first = here[0]
    yield f"<h2>{escape(first.data_set)}</h2>"
    about = first.data_set_about
    yield (
        f"<p>{escape(about[:1].upper() + about[1:])}. {len(first.frames)} frames judged, "
        f"{first.lines} lines.</p>"
    )
    for text in dict.fromkeys(verdict.alignment["text"] for verdict in here):
        yield f"<p><b>Alignment</b> · {escape(text)}.</p>"
    for verdict in here:
        yield f'<p class="faint">{escape(_fitted(verdict))}</p>' if _fitted(verdict) else ""
    if not first.complete:
        yield '<p class="warn">Ended early: only the frames judged by then are counted.</p>'
    yield '<div class="scroll"><table>' + "".join(_rows(here, verdicts)) + "</table></div>"
    if any(rate.wanted or rate.found for v in here for rate in v.tally.by_size):
        yield "<h3>Objects by size and height</h3>"
        yield '<p class="faint">Precision / recall (true objects), in pixels of the depth map.</p>'
        yield '<div class="scroll"><table>' + "".join(_bins(here)) + "</table></div>"
    reasons = [f"<li>{escape(sentence)}</li>" for sentence in missing(here)]
    if reasons:
        yield "<h3>Not known, and why</h3><ul class='plain'>" + "".join(reasons) + "</ul>"
    for verdict in here:
        if verdict.shown:
            yield f"<h3>{escape(verdict.model.name)}</h3>"
            yield '<div class="frames">' + "".join(map(_frame, verdict.shown)) + "</div>"


def _fitted(verdict: Verdict) -> str:
    said = verdict.alignment
    if "scale" not in said:
        return ""
    return (
        f"{verdict.model.name}: height = {figure_text(said['scale'])} · output + "
        f"{figure_text(said['shift'])} {said['unit']}, residual σ "
        f"{figure_text(said['residual_sigma'])}"
    )


def _rows(here: list[Verdict], verdicts: Sequence[Verdict]) -> Iterator[str]:
    heads = "".join(f'<th class="n">{escape(verdict.model.name)}</th>' for verdict in here)
    yield f"<tr><th>figure</th>{heads}<th>what it says</th></tr>"
    for figure in FIGURES:
        values = [verdict.value(figure.key) for verdict in here]
        if all(isinstance(value, Absent) for value in values):
            continue
        best = _best(figure, values)
        cells = "".join(
            f'<td class="n{" best" if value is best else ""}">{figure_text(value)}'
            f"{_spread(figure, verdict)}</td>"
            for value, verdict in zip(values, here, strict=True)
        )
        unit = unit_text(figure, here[0].unit)
        title = escape(f"{figure.title}, {unit}" if unit else figure.title)
        says = escape("; ".join(part for part in (figure.says, GOOD[figure.good]) if part))
        yield f'<tr><td class="name">{title}</td>{cells}<td class="why">{says}</td></tr>'
        if figure.key == "rmse_over_sigma":
            yield _baseline(here, verdicts)


def _best(figure: Figure, values: list[float | Absent]) -> float | None:
    """The best of several; None where there is nothing to choose."""
    known = [value for value in values if not isinstance(value, Absent)]
    if figure.good == "info" or len(set(known)) < 2:
        return None
    keys = {"low": abs, "high": lambda v: -v, "one": lambda v: abs(v - 1)}
    return min(known, key=keys[figure.good])


def _spread(figure: Figure, verdict: Verdict) -> str:
    found = verdict.spread(figure.key) if figure.key == "rmse_over_sigma" else {}
    if not found or found["frames"] < 2:
        return ""
    return (
        f"<small>median {figure_text(found['median'])}, {figure_text(found['min'])} to "
        f"{figure_text(found['max'])}</small>"
    )


def _baseline(here: list[Verdict], verdicts: Sequence[Verdict]) -> str:
    ratios = [over_best_baseline(verdict, verdicts) for verdict in here]
    if all(ratio is None for ratio in ratios):
        return ""
    cells = "".join(
        f'<td class="n">{NONE if ratio is None else figure_text(ratio)}</td>' for ratio in ratios
    )
    return (
        f'<tr><td class="name">… over the best baseline</td>{cells}'
        '<td class="why">below 1 it is better than any baseline judged here</td></tr>'
    )


def _bins(here: list[Verdict]) -> Iterator[str]:
    heads = "".join(f'<th class="n">{escape(verdict.model.name)}</th>' for verdict in here)
    yield f"<tr><th></th>{heads}</tr>"
    for title, edges, kind in (("size", SIZES, "by_size"), ("height", HEIGHTS, "by_height")):
        for number, low in enumerate(edges):
            end = f" to {edges[number + 1]:g}" if number + 1 < len(edges) else " and more"
            rates: list[Rate] = [getattr(verdict.tally, kind)[number] for verdict in here]
            cells = "".join(f'<td class="n">{_rate(rate)}</td>' for rate in rates)
            yield f'<tr><td class="name">{title} {low:g}{end}</td>{cells}</tr>'


def _rate(rate: Rate) -> str:
    parts = [NONE if each is None else f"{each:.2f}" for each in (rate.precision, rate.recall)]
    return f"{parts[0]} / {parts[1]} ({rate.wanted})"


def _frame(shown: Shown) -> str:
    score = "" if shown.score is None else f" · RMSE / σ {figure_text(shown.score)}"
    panels = "".join(
        f'<figure><img alt="{escape(panel.title)}" src="data:image/jpeg;base64,'
        f'{base64.b64encode(panel.jpeg).decode("ascii")}"><figcaption>{escape(panel.title)}'
        "</figcaption></figure>"
        for panel in shown.panels
    )
    return (
        f'<div class="frame"><header><b>{escape(shown.rank)}</b>{escape(shown.name)}'
        f'<span class="faint">{score}</span></header><div class="panels">{panels}</div></div>'
    )
