"""The demo's own sections of the report, and what it says in the terminal as well."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from locvlm.demo.plan import DemoPlan
from locvlm.evaluation.reports.illustrations import encode_jpeg
from locvlm.inspection.inspect import Inspection
from locvlm.media.images import open_image

UNLIKE = (
    "The two models were not trained alike. tiny-control was never asked about locations, but it "
    "was also trained for far fewer visits of photos, by another trainer with other settings. So "
    "this is no controlled comparison: the scores say how these two models differ, not what the "
    "location objectives alone bring."
)


def add_sections(report: Path, first: Sequence[str], last: Sequence[str]) -> None:
    """Add sections before and after those of a report that `comparison` wrote."""
    text = report.read_text(encoding="utf-8")
    head, begin, rest = text.partition("<section>")
    body, end, foot = rest.rpartition("</main>")
    if not begin or not end:
        raise ValueError(f"{report}: has no sections, or no </main>, to add others to")
    page = "".join((head, *map(_section, first), begin, body, *map(_section, last), end, foot))
    report.write_text(page, encoding="utf-8")


def _section(body: str) -> str:
    return f"<section>{body}</section>\n"


def models() -> str:
    """What the two models are, and what their difference does not say."""
    return f"""<h2>What is compared</h2>
<p class="note">{UNLIKE}</p>"""


def describe_omissions(plan: DemoPlan, minutes: float) -> str:
    """One line: what the minutes did not allow, and how to get all."""
    asked = f"{plan.asked} of {plan.askable} questions go to each model, the same to both"
    if plan.steps == plan.all_steps and plan.asked == plan.askable:
        return f"{asked}; nothing is left out."
    return (
        f"{asked}; the tuning has {plan.steps} of {plan.all_steps} steps. All of it: "
        f"locvlm demo --minutes {minutes + plan.more:g} --out another-folder"
    )


def extent(plan: DemoPlan, minutes: float) -> str:
    """How much was done, of how much."""
    rows = "".join(
        f"<tr><th>{name}</th><td>{done}</td><td>{photos}</td></tr>"
        for name, done, photos in plan.rows()
    )
    return f"""<h2>How much was asked</h2>
<p class="note">As much as fits into {minutes:g} min on the machine that made this page, about
a sample of the photos of each task: {describe_omissions(plan, minutes)}</p>
<div class="scroll"><table><tbody>{rows}</tbody></table></div>"""


def tuning(loss: Path, plan: DemoPlan) -> str:
    """The loss curves of the short tuning."""
    return f"""<h2>The short tuning that you just saw</h2>
<p class="note">From the shipped stage 1, on forty photos, {plan.steps} steps: it shows how
training runs and how its loss falls, and takes no part in the scores above.</p>
{_image(loss, "loss curves")}"""


def inspected(seen: Inspection) -> str:
    """What the model sees of some samples."""
    images = "\n".join(_image(path, path.stem) for path in seen.pictures)
    return f"""<h2>What a model sees of the instructions</h2>
<p class="note">Its own pixels, its own tokens, the loss mask, and the boxes that can be read back
from the tokens: at most {seen.deviation:.2f} original pixels off in {seen.locations} locations,
{seen.undecoded} questions without theirs.</p>
{images}"""


def credited() -> str:
    """Where the photos are from."""
    return """<h2>Photos</h2>
<p class="note">From COCO 2017, resized; under CC BY 2.0, CC BY-SA 2.0 or without known copyright
restrictions. Each page given with a photo names its author; CREDITS.md beside the photos lists
all. Annotations: COCO Consortium, CC BY 4.0.</p>"""


def _image(path: Path, alt: str) -> str:
    data = base64.b64encode(encode_jpeg(open_image(path))).decode()
    return (
        f'<p><img style="max-height:none" src="data:image/jpeg;base64,{data}" alt="{alt}" '
        'loading="lazy"></p>'
    )
