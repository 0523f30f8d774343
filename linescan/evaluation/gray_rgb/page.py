"""The report as a page for people, from the same data that the JSON file holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linescan.evaluation.gray_rgb.colour import JPEG_QUALITY, NOISE_SIGMA
from linescan.evaluation.gray_rgb.verdict import (
    CLAIMED_RATIO,
    LEAST_PICTURES,
    SHARE,
    SMALL,
    TOLERANCE,
)
from linescan.evaluation.metrics import RANKED

Figures = Mapping[str, Any]


def sentences(figures: Figures) -> list[str]:
    """The verdict in words, each sentence with the figures it rests on."""
    verdict, overall = figures["verdict"], figures["summary"]
    gray, jpeg = overall["gray"]["deviation"], overall["jpeg"]["deviation"]
    low, high = verdict["ratio_range"]
    return [
        f"The difference is {verdict['size']}: the depth from gray deviates from that from RGB by "
        f"{gray['median']:.3f} σ (median; worst {gray['worst']:.3f}), JPEG {JPEG_QUALITY} by "
        f"{jpeg['median']:.3f} σ; {verdict['share_negligible']:.0%} of {verdict['pictures']} "
        f"pictures stay within the larger of the two limits, JPEG (up to {SMALL:g} σ) and "
        f"{TOLERANCE:g} σ, and "
        f"{verdict['share_small']:.0%} within {SMALL:g} σ.",
        f"Rank correlation: {overall['gray']['rank_correlation']['median']:.4f} (median; worst "
        f"{overall['gray']['rank_correlation']['worst']:.4f}); near stays near in "
        f"{verdict['same_sign']:.0%} of the pictures.",
        f"Gray is {verdict['speed']}: it takes {verdict['ratio']:.3f} of the time of RGB from "
        f"picture to depth (quartiles {low:.3f} to {high:.3f}), the engine alone "
        f"{verdict['engine_ratio']:.3f}.",
        _scope(figures),
    ]


def markdown(figures: Figures, sheet: str) -> str:
    """The page; ``sheet`` is the name of the picture beside it."""
    about = figures["about"]
    parts = [
        f"# Gray against RGB: {about['model']}",
        "\n".join(f"- {sentence}" for sentence in sentences(figures)),
        *([] if figures["complete"] else [_ended_early(figures)]),
        "## Depth",
        _depth_table(figures),
        "## Time",
        _time_table(figures),
        "## Pictures",
        "The most and the least different ones. Both depths of a picture have the same colours.",
        f"![RGB, gray, both depths and their difference]({sheet})",
        _picture_table(figures),
        *([_skipped(figures)] if figures["skipped"] else []),
        "## How it was measured",
        _method(figures),
        "## What it does not say",
        _limits(figures),
    ]
    return "\n\n".join(parts) + "\n"


def _scope(figures: Figures) -> str:
    about, verdict = figures["about"], figures["verdict"]
    if figures["settled"]:
        return (
            f"The weights are those of Depth Anything V2 Small (`{about['source']}`): this settles "
            f"the claim for pictures like these."
        )
    why = []
    if not about["published_small"]:
        why.append(
            f"the weights are `{about['source']}`, not the published Depth Anything V2 Small, for "
            f"which something else may hold"
        )
    if about["simulated"]:
        why.append("the pictures are simulated, not photographs")
    if not verdict["enough_pictures"]:
        why.append(
            f"{verdict['pictures']} pictures are an indication, {LEAST_PICTURES} are asked for"
        )
    return f"This does not settle the claim about `small`: {'; '.join(why)}."


def _ended_early(figures: Figures) -> str:
    done = len(figures["pictures"]) + len(figures["skipped"])
    return f"**Ended early**: {done} of {figures['wanted']} pictures."


def _depth_table(figures: Figures) -> str:
    names = {
        "gray": "gray",
        "noise": f"control: RGB with noise, σ {NOISE_SIGMA:g} gray levels",
        "jpeg": f"control: RGB as JPEG {JPEG_QUALITY}",
    }
    lines = [
        "| depth against that from RGB | deviation, σ: median | worst tenth | worst "
        "| rank correlation: median | worst tenth | worst | same sign |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key, name in names.items():
        row = figures["summary"][key]
        deviation = [f"{row['deviation'][k]:.4f}" for k in ("median", "worst_decile", "worst")]
        ranks = [f"{row['rank_correlation'][k]:.4f}" for k in ("median", "worst_decile", "worst")]
        lines.append(
            f"| {' | '.join([name, *deviation, *ranks, format(row['same_sign'], '.0%')])} |"
        )
    truth = figures["summary"].get("truth")
    if truth:
        lines += [
            "",
            f"Against the true height (RMSE / σ, median): {truth['gray']:.3f} from gray, "
            f"{truth['rgb']:.3f} from RGB.",
        ]
    return "\n".join(lines)


def _time_table(figures: Figures) -> str:
    times, verdict = figures["summary"]["time_ms"], figures["verdict"]
    lines = ["| median, ms | picture to model size | engine | both |", "|---|---|---|---|"]
    for kind, name in (("gray", "gray"), ("rgb", "RGB")):
        prepare, engine = times[f"{kind}_prepare"], times[f"{kind}_engine"]
        lines.append(f"| {name} | {prepare:.2f} | {engine:.2f} | {prepare + engine:.2f} |")
    ratios = f"| {verdict['engine_ratio']:.3f} | {verdict['ratio']:.3f} |"
    lines.append(f"| gray / RGB, median of the rounds | | {ratios[2:]}")
    return "\n".join(lines)


def _picture_table(figures: Figures) -> str:
    lines = [
        "| picture | rows × columns | colourfulness | deviation, σ | noise | JPEG "
        "| rank correlation | same sign |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in figures["pictures"]:
        rows, columns = one["shape"]
        deviations = [f"{one[k]['deviation']:.4f}" for k in ("gray", "noise", "jpeg")]
        cells = [
            _cell(one["name"]),
            f"{rows} × {columns}",
            f"{one['colour']:.0f}",
            *deviations,
            f"{one['gray']['rank_correlation']:.4f}",
            "yes" if one["gray"]["same_sign"] else "**no**",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _skipped(figures: Figures) -> str:
    lines = [f"- {_cell(s['name'])}: {_cell(s['reason'])}" for s in figures["skipped"]]
    return "\n".join([f"Skipped, {len(lines)}:", "", *lines])


def _method(figures: Figures) -> str:
    about = figures["about"]
    rows, columns = about["size"]
    rounds = len(figures["pictures"][0]["rounds"])
    deviations = ", ".join("unmeasured" if d is None else f"{d:.2g}" for d in about["deviations"])
    return "\n".join(
        [
            f"- Pictures: {_cell(about['pictures'])}, stretched to {rows} × {columns}.",
            f"- Model `{about['model']}` ({about['licence']}) from `{about['source']}`, exported "
            f"twice: with three channels, and with gray folded exactly into the first convolution.",
            f"- Engine {about['engine']} on {about['device']} for both; deviation from the fp32 "
            f"reference, gray and RGB: {deviations}. linescan {about['version']}.",
            "- Gray is ITU-R BT.601 luma, 0.299 R + 0.587 G + 0.114 B, rounded to 8 bits.",
            "- Deviation: RMSE over the standard deviation of the RGB depth, after the scale and "
            "shift of least squares. Same sign: that scale is positive. Rank correlation: "
            f"Spearman's, of at most {RANKED} pixels drawn at random, the same for all.",
            f"- Controls, so that a size can be judged: RGB with noise of σ {NOISE_SIGMA:g} gray "
            f"levels, and RGB after a JPEG file of quality {JPEG_QUALITY}, both at the model's "
            "size.",
            f"- Limits, fixed beforehand: negligible where in {SHARE:.0%} of the pictures the "
            f"deviation is at most that of JPEG (up to {SMALL:g} σ) or {TOLERANCE:g} σ, and no "
            f"sign is lost; small where it is at most {SMALL:g} σ. Faster where three quarters of "
            f"the rounds say so; 20 % faster where their median is at most "
            f"{CLAIMED_RATIO:.3f} (1.2 times the speed).",
            f"- Time: {rounds} rounds a picture after a warm-up, gray and RGB in strict turns. "
            "Making gray of the colours is not counted: a gray camera delivers gray.",
        ]
    )


def _limits(figures: Figures) -> str:
    lines = [
        "- A gray camera weighs the colours by its own sensitivity, often well into the red, and "
        "not as luma does. Where that matters, compare pictures of both cameras.",
        "- Both depths may be wrong alike: this is agreement, not accuracy.",
        "- The times are those of this machine and this load; only their ratio carries over, and "
        "only to the same engine.",
    ]
    if figures["about"]["simulated"]:
        lines.append(
            "- Simulated pictures: a gray simulated web under coloured print that knows nothing of "
            "its relief."
        )
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
