"""Secrets taken out of what is asked and answered, before anything is hashed, written or shown.

A secret becomes ``[redacted:KIND:k]``: the k-th distinct secret of its kind in one call, in the order in which they
appear (tools and settings, messages, reply). That keeps recordings usable:

- the same function is applied when recording and when looking up, so requests match, also after keys were rotated;
- no hash of a secret is written, since short secrets can be guessed from one;
- redacting twice changes nothing, and a conversation keeps its numbers while it grows.

Secrets are found by shape (`SHAPES`), by the name of their field (`FAMILIES`), in nested JSON text, percent-encoded, in
base64, spread over pieces of a stream or tokens of a reply, and wherever one of them is repeated.

Known limits: a password that stands in prose before any field told that it is one is not recognised. A token that a
model is served in a replay keeps its number, so where a *new* secret of its kind comes first, both share a number.
"""

from ifonly.agents.redaction.calls import redact_call, redact_completion, redact_request
from ifonly.agents.redaction.fields import FAMILIES
from ifonly.agents.redaction.redactor import Redactor, remembering
from ifonly.agents.redaction.runs import redact_trajectory
from ifonly.agents.redaction.shapes import SHAPES

__all__ = [
    "FAMILIES",
    "SHAPES",
    "Redactor",
    "redact_call",
    "redact_completion",
    "redact_request",
    "redact_trajectory",
    "remembering",
]
