"""Blame: which steps of a recorded run its failure is due to, from recordings and re-execution alone."""

from ifonly.sim.blame.aggregate import BlameSummary, summarise_blame
from ifonly.sim.blame.answers import BlameAnswer
from ifonly.sim.blame.assign import EFFORT, blame
from ifonly.sim.blame.failure import Failure, failure_of, parse_failure

__all__ = [
    "EFFORT",
    "BlameAnswer",
    "BlameSummary",
    "Failure",
    "blame",
    "failure_of",
    "parse_failure",
    "summarise_blame",
]
