"""Recorded model calls: served again instead of asked again, exactly or not at all.

A cassette is a file of lines, appended to and never changed, each a JSON object sealed by a checksum of its bytes
(``check``):

- ``{"ifonly_cassette": 1}``: the header, with the version of the format;
- ``{"frame": digest, "value": {model, tools, toolset, settings}}``: what requests share;
- ``{"message": digest, "value": {...}}``: one message; the digest of its ids, if it has any, follows that of the rest;
- ``{"call": key, "session", "occurrence", "frame", "after", "messages", "completion"}``: a request and its completion.
  Its conversation is the one named by ``after`` (a digest, folded over the messages) and then ``messages``.

So a growing conversation takes linear space. A call and what it needs are written at once, and are on the disk before
`Cassette.add` returns; what a crash tears off at the end is dropped.

A request is found when the model and all of it are equal, ids of tool calls aside, after redaction on both sides
(`ifonly.agents.redaction`); equal requests are told apart by their *occurrence*. With `Mode.ALL` a cassette begins a
new *session*: of each request only the recordings of its latest session are served, while requests that the session
did not make keep their earlier ones.
"""

from ifonly.agents.cassette.cassette import Cassette, Entry, Mode
from ifonly.agents.cassette.recorded import Recorded

__all__ = ["Cassette", "Entry", "Mode", "Recorded"]
