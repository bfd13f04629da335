"""The life of a model's versions: judged, approved, promoted, rolled back. The log decides, MLflow's aliases follow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from shlex import quote
from typing import Any, Protocol

import pandas as pd

from mlops_assets.errors import UsageError
from mlops_assets.forecasting.model.model_file import ModelFileError
from mlops_assets.lifecycle import decisions, mirror
from mlops_assets.lifecycle.approvers import SIGNATURE, UnprovenError
from mlops_assets.lifecycle.decisions import DecisionError, Decisions, Entry, entry_of
from mlops_assets.lifecycle.mirror import made_of
from mlops_assets.lifecycle.published import still_published
from mlops_assets.lifecycle.versions import Versions
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.tracking.errors import TrackingError, VersionGoneError
from mlops_assets.tracking.registry import Registry, Version
from mlops_assets.tracking.tracking import Tracking

GATE, MLFLOW = "gate", "MLflow"
"""Who decides where no person does: the rules, or what MLflow has lost."""
TAKEOVER = "takeover"
"""Kind of a decision: a person has taken a version over from another environment."""


@dataclass(frozen=True)
class Verdict:
    """What a judge says of a challenger against a champion; see `forecasting.decisions.gate.Decision`."""

    outcome: str
    reason: str
    rules: str
    evidence: str


Judge = Callable[[Version | None, pd.DataFrame], Verdict]
"""From the champion of the moment (None without one) and the log to a verdict."""


class Stores(Protocol):
    """Where the life of a model is kept."""

    @property
    def tables(self) -> Tables:
        """Have the log."""
        ...

    @property
    def models(self) -> Models | None:
        """Keep the versions."""
        ...

    @property
    def tracking(self) -> Tracking:
        """Has the registry."""
        ...

    @property
    def clock(self) -> Clock:
        """Says when a decision is taken."""
        ...


class Lifecycle:
    """The versions of one forecast's model: who is champion, and every way to change it."""

    def __init__(
        self, tables: Tables, tracking: Tracking, clock: Clock, name: str, models: Models | None = None
    ) -> None:
        self.name = name
        self.log = Decisions(tables, name)
        self._tables = tables
        self.versions = Versions(lambda: self.registry, models, name)
        self._tracking = tracking
        self._clock = clock

    @cached_property
    def registry(self) -> Registry:
        """MLflow's versions and aliases; TrackingError where it cannot be reached."""
        return self._tracking.registry(self.name)

    @classmethod
    def of(cls, stores: Stores, name: str) -> "Lifecycle":
        """Return the versions of a forecast's model in some stores."""
        return cls(stores.tables, stores.tracking, stores.clock, name, stores.models)

    def champion(self) -> Version | None:
        """Return the champion by the log; before the first decision, the version that the alias names.

        One that is kept in the store of models is found without MLflow. None as well for a champion that neither has.
        """
        return self._champion(self.log.all())

    def missing(self) -> int | None:
        """Return the champion's number if MLflow does not have that version any more, else None."""
        number = decisions.champion_of(self.log.all())
        return number if number is not None and self._is_gone(number) else None

    def settle(self) -> None:
        """Write down what MLflow has lost: the champion, so that nobody is, and versions that wait for a person."""

        def entry(log: pd.DataFrame) -> Entry | None:
            present = decisions.champion_of(log)
            if present is not None and self._is_gone(present):
                again = f"the next round trains a new one: mlops-assets run {self.name}"
                words = f"{_lost(present)}, so nobody is champion; {again}"
                return Entry("loss", "gone", present, present, None, MLFLOW, words)
            for number in decisions.waiting(log):
                if self._is_gone(number):
                    again = f"mlops-assets run {self.name} --retrain trains another"
                    words = f"{_lost(number)}, while it waited for approval; {again}"
                    return Entry("loss", "gone", number, present, present, MLFLOW, words)
            return None

        while self.log.append(entry, self._clock.now()) is not None:
            pass

    def decide(self, challenger: Version, judge: Judge, facts: dict[str, Any]) -> tuple[int, Entry]:
        """Let a judge decide on a challenger, once for the same evidence, and make the registry follow.

        Args:
            challenger: the version in question.
            judge: called with the champion of the moment, again if that has changed meanwhile.
            facts: further fields of the `Entry`.

        Returns:
            The decision's number and the decision; the earlier one if the same evidence has been judged already.
        """
        found: list[tuple[int, Entry]] = []

        def entry(log: pd.DataFrame) -> Entry | None:
            present = self._champion(log)
            if present is not None and present.number == challenger.number:
                words = "the version is the champion already"
                same = (challenger.number, challenger.number)
                kept = Entry("gate", "unchanged", challenger.number, *same, GATE, words, **made_of(challenger))
                found[:] = [(int(log["number"].iloc[-1]) if len(log) else 0, kept)]
                return None
            verdict = judge(present, log)
            mine = log[(log["version"] == challenger.number) & (log["kind"] == "gate")]
            if len(mine) and mine["evidence"].iloc[-1] == verdict.evidence:
                found[:] = [entry_of(mine.iloc[-1])]
                return None
            before = None if present is None else present.number
            after = challenger.number if verdict.outcome == "promoted" else before
            return Entry(
                kind="gate",
                outcome=verdict.outcome,
                version=challenger.number,
                champion_before=before,
                champion_after=after,
                decided_by=GATE,
                reason=verdict.reason,
                rules=verdict.rules,
                evidence=verdict.evidence,
                **{**made_of(challenger), **facts},
            )

        self.settle()
        return self._written_once(entry, found)

    def approve(self, number: int, by: str, reason: str, force: bool = False, proof: str = "") -> tuple[int, Entry]:
        """Make a version champion because a person says so: one that waits for approval, or stands aside.

        Args:
            number: of the version.
            by: who.
            reason: why.
            force: even if it does neither.
            proof: how they have proven who they are; see `approvers.Person`.

        Raises:
            UnprovenError: the proof is a signature that has been used.
            DecisionError: the version does neither (and `force` is not given), is champion already, or cannot be used.
        """
        _named(by, reason)
        version = self._version(number)
        self._check(version)

        def entry(log: pd.DataFrame) -> Entry:
            before = self._replaced(log, number)
            if not force and number not in (*decisions.waiting(log), *decisions.aside(log)):
                command = f"mlops-assets approve {self.name} {number} --by {quote(by)} --reason {quote(reason)} --force"
                raise DecisionError(
                    f"version {number} of {self.name} {self._why_not(log, number)}; --force approves it",
                    advice=[self._history, command],
                )
            return Entry("approval", "promoted", number, before, number, by, reason, proof=proof, **made_of(version))

        return self._append(entry)

    def reject(self, number: int, by: str, reason: str, proof: str = "") -> tuple[int, Entry]:
        """Refuse a version that waits for approval.

        Raises:
            UnprovenError: the proof is a signature that has been used.
            DecisionError: it does not wait.
        """
        _named(by, reason)
        version = self._version(number)

        def entry(log: pd.DataFrame) -> Entry:
            if number not in decisions.waiting(log):
                raise DecisionError(
                    f"version {number} of {self.name} {self._why_not(log, number)}", advice=[self._history]
                )
            before = self._present(log)
            return Entry("rejection", "rejected", number, before, before, by, reason, proof=proof, **made_of(version))

        return self._append(entry)

    def rollback(self, by: str, reason: str, to: int | None = None, proof: str = "") -> tuple[int, Entry]:
        """Bring an earlier version back: the champion before this one, or any.

        Raises:
            DecisionError: there is none, it is the champion, or it cannot be used.
        """
        _named(by, reason)
        log = self.log.all()
        target = decisions.champion_before(log) if to is None else to
        if target is None:
            raise DecisionError(
                f"{self.name} had no other champion to go back to; name a version with --to", advice=[self._history]
            )
        version = self._version(target)
        self._check(version)

        def entry(now: pd.DataFrame) -> Entry:
            before = self._replaced(now, target)
            return Entry("rollback", "rolled back", target, before, target, by, reason, proof=proof, **made_of(version))

        return self._append(entry)

    def take_over(
        self, version: Version, by: str, reason: str, origin: str, rules: str, proof: str = ""
    ) -> tuple[int, Entry]:
        """Write down, once, that a version has come from another environment; who is champion stays.

        Args:
            version: as it is registered here.
            by: who takes it over.
            reason: why, and what it was there.
            origin: the other environment.
            rules: the verdict of the gate there, as JSON.
            proof: how who takes it over has proven who they are.
        """
        _named(by, reason)
        found: list[tuple[int, Entry]] = []

        def entry(log: pd.DataFrame) -> Entry | None:
            mine = log[(log["version"] == version.number) & (log["kind"] == TAKEOVER)]
            if len(mine):
                found[:] = [entry_of(mine.iloc[-1])]
                return None
            facts = {
                **made_of(version),
                "rules": rules,
                "evidence": version.tags["sha256"],
                "trigger": origin,
                "proof": proof,
            }
            before = self._present(log)
            return Entry(TAKEOVER, "taken over", version.number, before, before, by, reason, **facts)

        return self._written_once(entry, found)

    def _written_once(
        self, entry: Callable[[pd.DataFrame], Entry | None], found: Sequence[tuple[int, Entry]]
    ) -> tuple[int, Entry]:
        """Write a decision and carry it out, or return the one that was `found` where it had been made before."""
        made = self.log.append(entry, self._clock.now())
        self.repair()
        if made is None:
            return found[0]
        self._publish(*made)
        return made

    def still_published(self) -> str:
        """Say that the latest forecasts are those of a version that was rolled back; nothing where they are not."""
        return still_published(self._tables, self.name, self.log.all())

    def repair(self) -> None:
        """Make the registry say what the log says: aliases, stages, the last decision on each version.

        What the registry does not have any more is written down as gone (see `settle`). What a killed process left
        half done is completed here; doing it twice changes nothing.
        """
        self.settle()
        log = self.log.all()
        for _ in range(_TRIES):
            last = {int(row["version"]): row for _, row in log.drop_duplicates("version", keep="last").iterrows()}
            self.registry.mirror(
                decisions.champion_of(log),
                decisions.champion_before(log),
                tags={number: mirror.tags(row) for number, row in last.items()},
                decided={number: mirror.words(row) for number, row in last.items()},
            )
            seen, log = len(log), self.log.all()
            if len(log) == seen:
                break

    def _append(self, entry: Callable[[pd.DataFrame], Entry]) -> tuple[int, Entry]:
        def once(log: pd.DataFrame) -> Entry:
            made = entry(log)
            if made.proof.startswith(SIGNATURE) and (log["proof"] == made.proof).any():
                raise UnprovenError("this signature has been used: each decision needs one of its own")
            return made

        self.settle()
        made = self.log.append(once, self._clock.now())
        if made is None:
            raise AssertionError("a person's decision is always written down")
        self.repair()
        self._publish(*made)
        return made

    def _publish(self, number: int, entry: Entry) -> None:
        """Keep the decision's page with the run that trained the version."""
        self.registry.attach(entry.version, decisions.page(self.name, number, entry), f"decisions/{number:06d}.md")

    def _champion(self, log: pd.DataFrame) -> Version | None:
        number = decisions.champion_of(log)
        if number is None:
            return self.registry.champion() if log.empty else None
        try:
            return self.versions.version(number)
        except VersionGoneError:
            return None

    def _is_gone(self, number: int) -> bool:
        """Whether MLflow has lost a version. Who may not see it is refused here; a list would just leave it out."""
        try:
            self.registry.version(number)
        except VersionGoneError:
            return True
        return False

    def _present(self, log: pd.DataFrame) -> int | None:
        champion = self._champion(log)
        return None if champion is None else champion.number

    def _replaced(self, log: pd.DataFrame, number: int) -> int | None:
        """Return whom a version would replace; DecisionError if it is the champion itself."""
        before = self._present(log)
        if before == number:
            raise DecisionError(f"version {number} of {self.name} is the champion already")
        return before

    def _version(self, number: int) -> Version:
        known = {version.number: version for version in self.registry.versions()}
        if number not in known:
            self.settle()
            have = ", ".join(map(str, sorted(known))) or "none"
            was = (self.log.all()["version"] == number).any()
            lost = (
                f"version {number} of {self.name} is gone from MLflow"
                if was
                else f"{self.name} has no version {number}"
            )
            raise DecisionError(f"{lost}; there are: {have}", advice=[self._history])
        return known[number]

    def _check(self, version: Version) -> None:
        try:
            self.registry.code(version, self.registry.load(version))
        except (TrackingError, ModelFileError) as error:
            raise DecisionError(
                f"version {version.number} of {self.name} cannot be used: {error.message}",
                advice=error.advice or [f"mlops-assets run {self.name} --retrain"],
            ) from None

    @property
    def _history(self) -> str:
        """The command that shows what was decided."""
        return f"mlops-assets history {self.name}"

    @staticmethod
    def _why_not(log: pd.DataFrame, number: int) -> str:
        about = log[log["version"] == number]
        if about.empty:
            return "has not been judged yet (materialize the champion asset)"
        return f"does not wait for approval: it was {about['outcome'].iloc[-1]} (decision {about['number'].iloc[-1]})"


_TRIES = 20


def _lost(number: int) -> str:
    return f"version {number} is gone from MLflow (deleted, or its database is another)"


def _named(by: str, reason: str) -> None:
    if not by.strip() or not reason.strip():
        raise UsageError("a decision needs who takes it (--by) and why (--reason)")
