"""Worlds of cause and credit in agent runs: who is to blame, where the truth is known. One world a file."""

from ifonly.scenarios.causes.handoff import HANDOFF
from ifonly.scenarios.causes.irrelevant_text import IRRELEVANT_TEXT
from ifonly.scenarios.causes.noisy_tool import NOISY_TOOL
from ifonly.scenarios.causes.overdetermined import OVERDETERMINED
from ifonly.scenarios.causes.preempted import PREEMPTED
from ifonly.scenarios.causes.rescue import RESCUE
from ifonly.scenarios.causes.shared_latent import SHARED_LATENT

__all__ = ["WORLDS"]

WORLDS = (IRRELEVANT_TEXT, RESCUE, SHARED_LATENT, NOISY_TOOL, PREEMPTED, OVERDETERMINED, HANDOFF)
"""All of them."""
