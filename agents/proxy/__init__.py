"""A recording proxy on 127.0.0.1 for any client of OpenAI's chat completions, in any language.

`serve` forwards calls and records them; with a cassette in mode ``none`` it answers from the recording alone. In `app`
are the handlers, in `relay` the way upstream, in `replies` completions in OpenAI's shapes, in `runs` the runs that the
calls make.
"""

from ifonly.agents.proxy.app import Proxy, serve
from ifonly.agents.proxy.runs import Runs

__all__ = ["Proxy", "Runs", "serve"]
