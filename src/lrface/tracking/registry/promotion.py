"""Promotion: which pair is in production, who decided it, when and why; and the way back.

``@previous`` moves first, ``@champion`` last, and each alias names a whole pair, so at no moment does an alias
mean a mixed one. What is about to happen is written down before the first alias moves; a promotion that was
killed half-way is found by the next one and either completed or taken back.

On one machine a lock file keeps two promotions apart. On a shared server there is no lock to be had from MLflow:
there the champion is compared with the one that the verdict was reached against before and after the move. Two
promotions within the same fraction of a second could then still both succeed, the later one winning with a
whole pair and both in the audit trail.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from mlflow.exceptions import MlflowException

from lrface.base.locks import locked
from lrface.errors import RegistryError
from lrface.tracking.names import PAIR, Alias, VersionTag
from lrface.tracking.registry.pair import check_pair
from lrface.tracking.registry.registration import point
from lrface.tracking.registry.versions import ModelVersion, resolve, versions_of
from lrface.tracking.runs.lineage import who
from lrface.tracking.runs.run import Run
from lrface.tracking.store.failures import http_status, refusal
from lrface.tracking.store.store import Store

_log = logging.getLogger(__name__)
_WAIT: Final = 30.0
_UNDER_WAY: Final = "promotion.under_way"
_AUDIT: Final = "audit."


@dataclass(frozen=True)
class Gate:
    """One condition of a promotion.

    Attributes:
        name: What it is about.
        figure: What was measured; None where it could not be.
        bound: What it is held against.
        passed: Whether it holds.
        words: All of it in words, with the interval that decides; empty where nobody said it.
    """

    name: str
    figure: float | None
    bound: float
    passed: bool
    words: str = ""

    @property
    def told(self) -> str:
        """Whether it holds, and why."""
        state = "passed" if self.passed else "failed"
        return f"{state}: {self.words or f'{self.figure} against {self.bound}'}"


@dataclass(frozen=True)
class Verdict:
    """What an evaluation has decided about a pair.

    Attributes:
        decision: ``promote``, ``tune``, ``keep`` or ``revert``.
        reason: Why, in a sentence.
        gates: The conditions.
        figures: Further figures.
        gain: The paired difference to what it was compared with.
        interval: Its interval, low and high.
        against: URI of the champion that it was compared with; None: there was none.
        protocol: Hash of the protocol.
    """

    decision: str
    reason: str
    gates: tuple[Gate, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    gain: float | None = None
    interval: tuple[float, float] | None = None
    against: str | None = None
    protocol: str | None = None

    @property
    def promotes(self) -> bool:
        """Whether the decision is to promote and every gate holds."""
        return self.decision == "promote" and all(gate.passed for gate in self.gates)


@dataclass(frozen=True)
class AuditEntry:
    """A line of the audit trail of the registered pair."""

    what: str
    when: str
    who: str
    why: str
    version: int
    before: int | None
    run_id: str


def champion(store: Store) -> ModelVersion | None:
    """Return the pair in production, or None."""
    return _aliased(store, Alias.CHAMPION)


def promote(version: ModelVersion, verdict: Verdict, run: Run) -> ModelVersion:
    """Make a pair the champion and keep the one before as ``@previous``.

    Promoting the champion again changes nothing.

    Args:
        version: The pair.
        verdict: Why. It must promote, and have been reached against the champion of this moment.
        run: The run that decides, for the audit trail.

    Returns:
        The champion.

    Raises:
        RegistryError: The verdict does not promote, the champion has changed since, a half is stale, another
            promotion is under way, or the registry refused.
    """
    store = run.store
    if not verdict.promotes:
        failed = ", ".join(gate.name for gate in verdict.gates if not gate.passed) or verdict.decision
        raise RegistryError(
            f"promotion of {version.uri}",
            got=f"a verdict that does not promote ({failed})",
            expected="the decision to promote with every gate passed",
            remedy="record the refusal, and train on",
        )
    with _alone(store):
        version = resolve(store, version.uri)
        check_pair(store, version)
        before = champion(store)
        if before is not None and before.version == version.version:
            return version
        _refuse_moved(version, verdict, before)
        _tag_verdict(store, version, verdict, run)
        entry = _entry("promote", version, before, verdict.reason, run)
        _move(store, version, before, entry)
        return resolve(store, version.uri)


def record_refusal(version: ModelVersion, verdict: Verdict, run: Run) -> None:
    """Write down that a pair was not promoted, and why: on the version, in the audit trail and on the run.

    Raises:
        RegistryError: The registry refused.
    """
    store = run.store
    with _alone(store):
        _tag_verdict(store, version, verdict, run)
        _append_audit(store, _entry("refuse", version, champion(store), verdict.reason, run))


def rollback(run: Run, reason: str) -> ModelVersion:
    """Make ``@previous`` the champion again, and the champion ``@previous``.

    Args:
        run: The run that decides, for the audit trail.
        reason: Why.

    Returns:
        The champion.

    Raises:
        RegistryError: There is nothing to go back to, or the registry refused.
    """
    store = run.store
    with _alone(store):
        now, before = champion(store), _aliased(store, Alias.PREVIOUS)
        if before is None or now is None or before.version == now.version:
            raise RegistryError(
                f"rollback of {PAIR}",
                got="no earlier champion" if before is None else "an earlier champion that is the present one",
                expected=f"a pair under {PAIR}@{Alias.PREVIOUS}",
                remedy="promote a version by its number instead",
            )
        _move(store, before, now, _entry("rollback", before, now, reason, run))
        return resolve(store, before.uri)


def audit_trail(store: Store) -> list[AuditEntry]:
    """Return what happened to the pair in production, the oldest first."""
    tags = _model_tags(store)
    return [AuditEntry(**json.loads(tags[key])) for key in sorted(tags) if key.startswith(_AUDIT)]


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    with locked(store.root / "mlruns" / "promotion.lock", f"promotion of {PAIR}", _WAIT):
        try:
            _repair(store)
            yield
        except MlflowException as error:
            raise refusal(
                f"promotion of {PAIR}",
                error,
                expected=f"a registry that takes it ({store.place})",
                remedy="start the same command again: what was begun is completed or taken back",
            ) from error


def _refuse_moved(version: ModelVersion, verdict: Verdict, before: ModelVersion | None) -> None:
    now = before.uri if before is not None else None
    if verdict.against != now:
        raise RegistryError(
            f"promotion of {version.uri}",
            got=f"a verdict reached against {verdict.against or 'no champion'}",
            expected=f"one against the champion of now ({now or 'none'})",
            remedy="evaluate again against it",
        )


def _move(store: Store, version: ModelVersion, before: ModelVersion | None, entry: AuditEntry) -> None:
    previous = _aliased(store, Alias.PREVIOUS)
    plan = {**asdict(entry), "previous": previous.version if previous is not None else None}
    store.client.set_registered_model_tag(PAIR, _UNDER_WAY, json.dumps(plan))
    if before is not None:
        point(store, before, Alias.PREVIOUS)
    point(store, version, Alias.CHAMPION)
    _complete(store, entry)
    now = champion(store)
    if now is None or now.version != version.version:
        raise RegistryError(
            f"promotion of {version.uri}",
            got=f"{now.uri if now is not None else 'nothing'} as the champion at the end",
            expected=version.uri,
            remedy="somebody else has promoted at the same time: look at the audit trail and evaluate again",
        )


def _complete(store: Store, entry: AuditEntry) -> None:
    for key, value in {"when": entry.when, "who": entry.who, "run": entry.run_id, "why": entry.why}.items():
        store.client.set_model_version_tag(PAIR, str(entry.version), f"{entry.what}.{key}", value)
    _append_audit(store, entry)
    store.client.delete_registered_model_tag(PAIR, _UNDER_WAY)


def _repair(store: Store) -> None:
    """Complete a promotion that was killed after its last alias, take back one that was killed before."""
    text = _model_tags(store).get(_UNDER_WAY)
    if text is None:
        return
    plan: dict[str, Any] = json.loads(text)
    previous = plan.pop("previous")
    entry = AuditEntry(**plan)
    now = champion(store)
    if now is not None and now.version == entry.version:
        _log.warning("completing the %s of version %d, which was interrupted", entry.what, entry.version)
        if entry not in audit_trail(store):
            _complete(store, entry)
            return
    elif previous is None:
        _log.warning("taking back the %s of version %d, which was interrupted", entry.what, entry.version)
        if _aliased(store, Alias.PREVIOUS) is not None:
            store.client.delete_registered_model_alias(PAIR, Alias.PREVIOUS)
    else:
        _log.warning("taking back the %s of version %d, which was interrupted", entry.what, entry.version)
        store.client.set_registered_model_alias(PAIR, Alias.PREVIOUS, str(previous))
    store.client.delete_registered_model_tag(PAIR, _UNDER_WAY)


def _tag_verdict(store: Store, version: ModelVersion, verdict: Verdict, run: Run) -> None:
    tags: dict[str, str] = {
        VersionTag.VERDICT: verdict.decision if verdict.promotes or verdict.decision != "promote" else "refused",
        "verdict_reason": verdict.reason,
        "verdict_run": run.run_id,
    }
    if verdict.interval is not None:
        tags[VersionTag.INTERVAL] = f"{verdict.gain} [{verdict.interval[0]}, {verdict.interval[1]}]"
    if verdict.protocol is not None:
        tags["protocol"] = verdict.protocol
    for gate in verdict.gates:
        tags[f"gate.{gate.name}"] = gate.told
    for key, value in tags.items():
        store.client.set_model_version_tag(PAIR, str(version.version), str(key), value)
    run.set_tags({str(key): value for key, value in tags.items()})
    run.log_metrics({f"promotion/{key}": value for key, value in verdict.figures.items()})


def _append_audit(store: Store, entry: AuditEntry) -> None:
    count = sum(key.startswith(_AUDIT) for key in _model_tags(store))
    store.client.set_registered_model_tag(PAIR, f"{_AUDIT}{count + 1:05d}", json.dumps(asdict(entry)))


def _entry(what: str, version: ModelVersion, before: ModelVersion | None, why: str, run: Run) -> AuditEntry:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return AuditEntry(
        what, now, who(), why, version.version, before.version if before is not None else None, run.run_id
    )


def _aliased(store: Store, alias: Alias) -> ModelVersion | None:
    return next((version for version in versions_of(store, PAIR) if alias in version.aliases), None)


def _model_tags(store: Store) -> dict[str, str]:
    try:
        tags = store.client.get_registered_model(PAIR).tags
    except MlflowException as error:
        if http_status(error) == 404:
            return {}
        raise
    return {str(key): str(value) for key, value in tags.items()}
