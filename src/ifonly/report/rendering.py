"""Rendering one page: autoescape, no script, and a style sheet that is named by its hash."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ifonly.views.scores import score_text
from ifonly.views.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["render_page"]


def render_page(template: str, styles: Sequence[str] = ("report.css",), **values: Any) -> str:
    """The text of a page.

    All text goes through autoescape and `views.text.visible`. The Content Security Policy allows the style sheet and
    nothing else, so that even text which got out of its place could load and run nothing.

    Args:
        template: its name.
        styles: names of style sheets, joined in order.
        values: what the template reads.
    """
    environment = Environment(
        loader=PackageLoader("ifonly.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "score": score_text}
    style = "".join(environment.get_template(name).render() for name in styles)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return environment.get_template(template).render(style=style, policy=policy, **values)
