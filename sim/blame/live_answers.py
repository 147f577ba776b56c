"""What a live blame adds to an answer: what was asked, and what the noise model has to do with it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ifonly.scm.estimate import Estimate

__all__ = ["LiveBlame", "Sensitivity"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sensitivity(_Answer):
    """What the noise model has to do with an answer: one law of fresh draws, three couplings to the recorded noise.

    No data tells these apart (`ifonly.scm.contamination`), so their spread is what the assumption is worth.

    Attributes:
        averted: P(averted) in this run, by noise model: ``gumbel-max``, ``inverse-cdf``, ``independent``.
        spread: the largest of the points less the smallest.
    """

    averted: dict[Literal["gumbel-max", "inverse-cdf", "independent"], Estimate]
    spread: float


class LiveBlame(_Answer):
    """What was asked of models for an answer.

    Attributes:
        noise: of the live replies: ``fresh``, ``choice`` or ``token``.
        seed: of all draws.
        asked: how many what-ifs were asked live.
        runs: re-runs that were made, controls among them; each serves every what-if that it fits.
        particles: re-runs in each arm, at most.
        early: of how many what-ifs asking ended early, since they were decided.
        worlds: in how many worlds the credit of model steps was asked.
        recorded: replies served from the cassette, not paid again.
        seconds: wall time.
        stopped: why not all was asked that was open; None if it was.
    """

    noise: Literal["fresh", "choice", "token"]
    seed: int
    asked: int
    runs: int
    particles: int
    early: int = 0
    worlds: int = 0
    recorded: int = 0
    seconds: float
    stopped: str | None = None
