"""Requests and replies as they go over the wire: OpenAI's chat completions, which every provider here speaks.

    requests   our `Request` to a JSON body, and back
    replies    a JSON reply to a `Completion`
    chunks     the pieces of a streamed reply to a `Completion`
    schema     tools for models that have no tool calls of their own: one JSON schema, tool or answer
    calls      arguments as JSON text, and the ids of calls that have none

Nothing here opens a connection or knows litellm.
"""

from ifonly.agents.wire.calls import INVALID
from ifonly.agents.wire.chunks import Assembler
from ifonly.agents.wire.replies import UnfinishedReply, completion_of
from ifonly.agents.wire.requests import TRANSPORT, from_body, to_body

__all__ = ["INVALID", "TRANSPORT", "Assembler", "UnfinishedReply", "completion_of", "from_body", "to_body"]
