"""Importers: one file per format of recorded runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ifonly.agents.importers.agentdojo import AgentDojo
from ifonly.agents.importers.native import Native
from ifonly.agents.importers.openai_chat import OpenAIChat
from ifonly.agents.importers.openinference import OpenInference
from ifonly.agents.importers.tau_bench import TauBench
from ifonly.agents.importers.who_and_when import WhoAndWhen

if TYPE_CHECKING:
    from ifonly.agents.importers.base import Importer

__all__ = ["IMPORTERS"]

IMPORTERS: tuple[Importer, ...] = (Native(), AgentDojo(), TauBench(), WhoAndWhen(), OpenInference(), OpenAIChat())
"""All formats, in the order in which they are tried."""
