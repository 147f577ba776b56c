"""Policies as a user names them: an arm, a mixture, everything at random, or a saved rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ifonly.agents.errors import ActionError, InputError, UnknownName
from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.rules import Constant, Leaf, Mixed, Rule, Split, Tree
from ifonly.sim.policy.features import Encoding, Number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.agents.tables import Table
    from ifonly.scm.policy.logged import Floats

__all__ = ["ELSE", "UNIFORM", "SavedRule", "Target", "parse_numbers", "parse_shares", "parse_steps", "parse_target"]

UNIFORM = "uniform"
"""The policy that takes every arm alike."""


ELSE = " else "
"""Between the parts of a policy that chooses by step: ``large@5,6,8 else small``."""


class SavedRule(BaseModel):
    """A rule with all that it takes to follow it: the JSON that `ifonly policy --save` writes.

    Attributes:
        version: of this layout.
        rule: chooses an arm from features.
        encoding: makes the features from columns.
        source: the command that made it, or other words on where it comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    rule: Rule
    encoding: Encoding = Encoding()
    source: str = ""

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The rule in a file.

        Raises:
            InputError: there is none that can be read.
        """
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise InputError(str(path), f"cannot be read ({error.strerror})", "Check the path.") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            found = f"is no saved rule ({place}: {first['msg']})"
            raise InputError(str(path), found, "Write one with ifonly policy --design --save FILE.") from error


class Target(BaseModel):
    """A policy that is to be valued.

    Attributes:
        name: as the user wrote it.
        rule: what it does.
        encoding: how its features are made; None where it reads none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rule: Rule
    encoding: Encoding = Encoding()

    def policy(self, table: Table, arms: Sequence[str]) -> Floats:
        """pi(a | x_i) on the rows of a table, shape (n, K).

        Raises:
            UnknownName: the table lacks a column that the rule reads.
            ActionError: the rule chooses arms that the log does not know.
        """
        try:
            return self.rule.policy(self.encoding.names, self.encoding.features(table), arms)
        except NotApplicable as error:
            raise ActionError(f"--target {self.name}", str(error), "Choose among the arms of the log.") from error


def parse_target(text: str, arms: Sequence[str]) -> Target:
    """From ``ARM``, ``ARM=SHARE,ARM=SHARE``, ``uniform`` or ``@RULE.json``.

    Args:
        text: as typed.
        arms: of the log. An arm that bears the name ``uniform`` is that arm.

    Raises:
        UnknownName: it names an arm that the log does not have.
        ActionError: shares are no probabilities.
        InputError: the file cannot be read.
    """
    if text.startswith("@"):
        saved = SavedRule.read(text[1:])
        return Target(name=text, rule=saved.rule, encoding=saved.encoding)
    if text in arms:
        return Target(name=text, rule=Constant(arms=(text,)))
    if text == UNIFORM:
        return Target(name=text, rule=Mixed(arms=tuple(arms), shares=(1 / len(arms),) * len(arms)))
    if "=" not in text:
        fix = f"Name one of {', '.join(arms)}; {UNIFORM}; shares such as {arms[0]}=0.2,{arms[-1]}=0.8; or @RULE.json."
        raise UnknownName("arm of --target", text, arms, fix)
    shares = parse_shares(f"--target {text}", text)
    unknown = next((arm for arm in shares if arm not in arms), None)
    if unknown is not None:
        raise UnknownName("arm of --target", unknown, arms)
    return Target(name=text, rule=Mixed(arms=tuple(shares), shares=tuple(shares.values())))


def parse_steps(text: str, arms: Sequence[str], column: str) -> Target:
    """From ``ARM@STEPS else ARM``, where steps are numbers and ranges from 0: ``large@0-2,5 else small``.

    Args:
        text: as typed; several ``ARM@STEPS`` may follow each other, the first that names a step counts.
        arms: of the log.
        column: that tells the step of a row.

    Raises:
        UnknownName: it names an arm that the log does not have.
        ActionError: the steps cannot be read, or there is no last ``else ARM``.
    """
    *parts, last = [part.strip() for part in text.split(ELSE)]
    chosen: dict[int, str] = {}
    for part in parts:
        arm, _, steps = part.rpartition("@")
        for step in _steps(f"--target {text}", steps):
            chosen.setdefault(step, arm)
    unknown = next((arm for arm in (last, *chosen.values()) if arm not in arms), None)
    if unknown is not None:
        fix = f"Write for instance {arms[-1]}@0-2,5 else {arms[0]}. Arms: {', '.join(arms)}."
        raise UnknownName("arm of --target", unknown, arms, fix)
    node: Leaf | Split = Leaf(arm=last)
    # From the last step backward: one question where the arm changes.
    for step in range(max(chosen, default=-1), -1, -1):
        arm, after = chosen.get(step, last), chosen.get(step + 1, last)
        if arm != after:
            node = Split(feature=column, at=step, at_most=Leaf(arm=arm), above=node)
    used = tuple(dict.fromkeys((*chosen.values(), last)))
    encoding = Encoding(columns=(Number(column=column),))
    return Target(name=text, rule=Tree(arms=used, root=node), encoding=encoding)


def _steps(asked: str, text: str) -> list[int]:
    """Numbers and ranges."""
    found = list[int]()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ActionError(asked, f"{part!r} is no step and no range of steps", "Write for instance large@0-2,5.")
        found += range(int(first), int(last if dash else first) + 1)
    return found


def parse_shares(asked: str, text: str) -> dict[str, float]:
    """Probabilities from ``NAME=SHARE,NAME=SHARE``.

    Raises:
        ActionError: they are none, or do not sum to 1.
    """
    shares = parse_numbers(asked, text)
    if any(share < 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:  # noqa: PLR2004 -- rounding
        found = f"the shares sum to {sum(shares.values()):g}"
        raise ActionError(asked, found, "Shares are at least 0 and sum to 1.")
    return shares


def parse_numbers(asked: str, text: str) -> dict[str, float]:
    """Numbers from ``NAME=NUMBER,NAME=NUMBER``.

    Raises:
        ActionError: a part is none.
    """
    made = {}
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        try:
            made[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise ActionError(asked, f"{part!r} is no NAME=NUMBER", "Write for instance small=0.2,large=0.8.")
    return made
