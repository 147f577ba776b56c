"""An errand for a small model: it must look before it answers. `AGENT` is the agent, `tools` its tools."""

from pathlib import Path

__all__ = ["AGENT", "BETTER"]

AGENT = Path(__file__).with_name("agent.yaml")
"""The agent as `ifonly run` takes it."""

BETTER = """\
Use a tool once, then answer with what it says. Example:
{"tool": "weather", "arguments": {}}
{"result_of": "weather", "data": "snow"}
{"answer": "snow"}"""
"""A system prompt under which it is solved more often."""
