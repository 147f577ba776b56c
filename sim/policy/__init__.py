"""Policies from logs: what another way to choose tools or models would have been worth, and which one to take."""

from ifonly.sim.policy.answers import PolicyAnswer, PolicyReport
from ifonly.sim.policy.choices import choices_table, parse_choice
from ifonly.sim.policy.decisions import Columns, Decisions, decisions_of
from ifonly.sim.policy.designing import pareto
from ifonly.sim.policy.evaluate import Valuing, summarise_log
from ifonly.sim.policy.targets import SavedRule, Target, parse_target
from ifonly.sim.policy.trajectories import RunsValuing

__all__ = [
    "Columns",
    "Decisions",
    "PolicyAnswer",
    "PolicyReport",
    "RunsValuing",
    "SavedRule",
    "Target",
    "Valuing",
    "choices_table",
    "decisions_of",
    "pareto",
    "parse_choice",
    "parse_target",
    "summarise_log",
]
