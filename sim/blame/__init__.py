"""Blame: which steps of a recorded run its failure is due to, from recordings, re-execution and live calls."""

from ifonly.sim.blame.aggregate import BlameSummary, summarise_blame
from ifonly.sim.blame.answers import BlameAnswer
from ifonly.sim.blame.assign import EFFORT, blame
from ifonly.sim.blame.failure import Failure, failure_of, parse_failure
from ifonly.sim.blame.live import LiveAsk
from ifonly.sim.blame.live_plan import BlamePlan, plan_blame

__all__ = [
    "EFFORT",
    "BlameAnswer",
    "BlamePlan",
    "BlameSummary",
    "Failure",
    "LiveAsk",
    "blame",
    "failure_of",
    "parse_failure",
    "plan_blame",
    "summarise_blame",
]
