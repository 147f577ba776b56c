"""The honest number: a value with its interval, its rung, and how it is identified. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

__all__ = ["Estimate", "Identified", "Rung"]

Rung = Literal["observed", "interventional", "counterfactual"]
"""What is seen, what would be if it were done, what would have been (Pearl's ladder)."""

Identified = Literal["exact", "point", "bounds", "assumed"]
"""How a number is settled; `Estimate` says what each word means."""


class Estimate(BaseModel):
    """A number and everything needed to judge it.

    Attributes:
        value: the point estimate; None exactly when the quantity is only bounded.
        low: lower end of the interval, or the lower bound.
        high: upper end of the interval, or the upper bound.
        level: confidence level of [low, high] in (0, 1]; 1 for exact values, and for bounds without sampling error.
        effective: effective sample size behind the value (Kish 1965); None where nothing was sampled.
        rung: rung of Pearl's ladder that the estimand stands on.
        identified: `exact` (enumerated or re-executed), `point` (estimated, the estimand being identified),
            `bounds` (only bounded by what is known), `assumed` (identified by a noise model that no data can
            test).
        noise: the noise models that were assumed, or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    value: FiniteFloat | None
    low: FiniteFloat
    high: FiniteFloat
    level: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    effective: Annotated[FiniteFloat, Field(ge=0.0)] | None = None
    rung: Rung
    identified: Identified
    noise: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} lies above high {self.high}")
        if (self.value is None) != (self.identified == "bounds"):
            raise ValueError(f"value is {self.value} but identified is {self.identified!r}: only bounds have no value")
        if self.value is not None and not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value} lies outside [{self.low}, {self.high}]")
        if self.identified == "exact" and self.level != 1.0:
            raise ValueError(f"exact holds with certainty: level must be 1, not {self.level}")
        if self.identified == "assumed" and self.noise is None:
            raise ValueError("an assumed value must name its noise model")
        return self

    @classmethod
    def settled(cls, value: float, rung: Rung, noise: str | None = None) -> Self:
        """Return a value known without sampling: `exact`, or `assumed` under the named noise model."""
        return cls(
            value=value,
            low=value,
            high=value,
            rung=rung,
            identified="exact" if noise is None else "assumed",
            noise=noise,
        )

    @classmethod
    def around(cls, value: float, half: float, level: float, effective: float | None = None) -> Self:
        """Return an identified effect of doing something, with the interval that reaches `half` to either side."""
        return cls(
            value=value,
            low=value - half,
            high=value + half,
            level=level,
            effective=effective,
            rung="interventional",
            identified="point",
        )

    @classmethod
    def bounded(cls, low: float, high: float, rung: Rung, level: float = 1.0, effective: float | None = None) -> Self:
        """Return bounds [low, high] on a quantity with no point value.

        Sharp where `level` is 1; else the ends are confidence limits of the sharp bounds (Imbens and Manski 2004).
        """
        return cls(value=None, low=low, high=high, level=level, effective=effective, rung=rung, identified="bounds")
