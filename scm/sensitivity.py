"""How strong unmeasured confounding would have to be to explain an association away."""

from __future__ import annotations

from math import isfinite, sqrt

from ifonly.scm.errors import NotApplicable

__all__ = ["e_value", "omitted_bias", "robustness_value"]


def e_value(ratio: float, limit: float | None = None) -> float:
    """Return the E-value of a risk ratio: RR + sqrt(RR (RR - 1)), for RR >= 1; of 1 / RR below.

    The smallest risk ratio that an unmeasured common cause must have with both cause and effect to explain the
    association away (VanderWeele and Ding 2017, Annals of Internal Medicine 167:268).

    Args:
        ratio: the risk ratio, positive.
        limit: the end of its confidence interval that lies nearer to 1: then the E-value is that of this limit, and
            1 if it lies on the other side of 1, since nothing is left to explain.

    Raises:
        NotApplicable: if a ratio is not a positive number.
    """
    for number in (ratio, limit):
        if number is not None and not (isfinite(number) and number > 0):
            raise NotApplicable(f"a risk ratio is a positive number, not {number}: divide the two risks again")
    nearest = ratio if limit is None else limit
    strength = nearest if ratio >= 1 else 1 / nearest
    return strength + sqrt(strength * (strength - 1)) if strength > 1 else 1.0


def robustness_value(t: float, freedom: float, share: float = 1.0) -> float:
    """Return the robustness value RV_q = (sqrt(f^4 + 4 f^2) - f^2) / 2, with f = q |t| / sqrt(degrees of freedom).

    An unmeasured cause that explains this share of what is left of the variance of both action and outcome would take
    away the share q of a linear effect (Cinelli and Hazlett 2020, "Making sense of sensitivity", JRSS B 82:39).

    Args:
        t: the effect over its standard error.
        freedom: residual degrees of freedom, positive.
        share: q, of the effect that is to be explained away; 1: all.

    Raises:
        NotApplicable: if the numbers are none of this kind.
    """
    if not (isfinite(t) and isfinite(freedom) and freedom > 0 and share > 0):
        raise NotApplicable(f"need a finite t, and positive degrees of freedom and share, got {t}, {freedom}, {share}")
    square = (share * t) ** 2 / freedom
    return (sqrt(square * square + 4 * square) - square) / 2


def omitted_bias(error: float, freedom: float, cause: float, outcome: float) -> float:
    """Return the largest bias |b| = se sqrt(df R_y^2 R_d^2 / (1 - R_d^2)) that an unmeasured cause can make.

    Cinelli and Hazlett 2020, JRSS B 82:39, eq. 8. At R_y^2 = R_d^2 = RV it takes away the whole effect.

    Args:
        error: standard error of the linear effect, residuals of one variance; at least 0.
        freedom: residual degrees of freedom, positive.
        cause: R_d^2, the share that it explains of what is left of the cause's variance, in [0, 1).
        outcome: R_y^2, the share of what cause and covariates leave of the outcome's, in [0, 1].

    Raises:
        NotApplicable: if the numbers are none of this kind.
    """
    if not (isfinite(error) and error >= 0 and freedom > 0 and 0 <= cause < 1 and 0 <= outcome <= 1):
        raise NotApplicable(
            "need an error of at least 0, positive degrees of freedom, and shares of variance with the cause in [0, 1) "
            f"and the outcome in [0, 1], got {error}, {freedom}, {cause}, {outcome}"
        )
    return error * sqrt(freedom * outcome * cause / (1 - cause))
