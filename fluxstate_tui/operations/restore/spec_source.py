"""Which MiniCluster a restore creates, and on whose word.

What lies beside an archive is written by anybody who may mount the volume. It is a claim: used only
where nothing better is known or where the user says so, and then with every right in the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from fluxstate_tui.archive.manifest import Manifest, Signature
from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.minicluster.spec_rights import differences, grave_words, rights_of
from fluxstate_tui.operations.base import Choices

MOST_LINES = 200
_A_FEW = 3


class Origin(Enum):
    """On whose word."""

    USER = "as you gave it"
    SEEN = "as it was seen from here last"
    SEEN_THEN = "as it was when the archive was saved, which was seen from here"
    SIGNED = "as it was when the archive was saved, which its signed manifest says"
    CLAIMED = "as the archive's manifest says, which nobody vouches for"

    @property
    def trusted(self) -> bool:
        """Whether others could not have written it."""
        return self is not Origin.CLAIMED


@dataclass(frozen=True, slots=True)
class SpecSource:
    """`raw` is the object; `asks` are lines for the plan: what it gives, how it differs."""

    raw: dict[str, Any]
    origin: Origin
    asks: tuple[str, ...] = ()


def known_spec(context: OperationContext, ref: ClusterRef, choices: Choices) -> SpecSource | None:
    """Without any archive: the user's, or the one that was seen from here last."""
    if choices.manifest is not None:
        origin = Origin.SEEN if choices.manifest_was_seen else Origin.USER
        return SpecSource(choices.manifest, origin, _summary(origin, choices.manifest))
    seen = manifest_cache.recall(context.state_dir, context.cluster.server, ref.namespace, ref.name)
    return SpecSource(seen, Origin.SEEN, _summary(Origin.SEEN, seen)) if seen is not None else None


def choose_spec(
    context: OperationContext,
    ref: ClusterRef,
    known: SpecSource | None,
    manifest: Manifest | None,
    choices: Choices,
    signature: Signature = Signature.UNSIGNED,
) -> SpecSource:
    """What to create from an archive with that manifest. Raises FluxstateError.

    A claim that was seen from here is as good as what was seen last, and nearer to the archive; so
    is one that an operator signed, if it is about this MiniCluster and no other.
    """
    claimed = manifest.saved_object if manifest is not None else None
    if known is not None and (claimed is None or known.origin is Origin.USER):
        return known
    if claimed is None:
        raise unknown(ref)
    vouched = manifest is not None and signature.vouched and _is_about(manifest, ref)
    if known is None and vouched:
        return SpecSource(claimed, Origin.SIGNED, _summary(Origin.SIGNED, claimed))
    if known is None:
        asked = [*map(str, rights_of(_of(claimed)))]
        return SpecSource(claimed, Origin.CLAIMED, _claim("asks for", asked))
    server, state_dir = context.cluster.server, context.state_dir
    if manifest_cache.has_seen(state_dir, server, ref.namespace, ref.name, claimed):
        same = manifest_cache.fingerprint(claimed) == manifest_cache.fingerprint(known.raw)
        origin = Origin.SEEN if same else Origin.SEEN_THEN
        return SpecSource(claimed, origin, _summary(origin, claimed))
    other = [*map(str, differences(_of(known.raw), _of(claimed)))]
    if not other:
        return known
    if vouched:
        lines = _limited("It differs from the one that was seen from here last:", other)
        return SpecSource(claimed, Origin.SIGNED, (*_summary(Origin.SIGNED, claimed), *lines))
    if choices.accept_spec:
        return SpecSource(claimed, Origin.CLAIMED, _claim("differs from what is known in", other))
    return SpecSource(known.raw, known.origin, (*known.asks, *_unused(ref, other)))


def _is_about(manifest: Manifest, ref: ClusterRef) -> bool:
    return (manifest.namespace, manifest.minicluster) == (ref.namespace, ref.name)


def unknown(ref: ClusterRef) -> FluxstateError:
    """Nothing says what to create."""
    return FluxstateError(
        f"nothing is known about {ref}: it does not exist and was never seen from here",
        safe="Nothing was done.",
        advice="Give its manifest: --file MANIFEST (its volume says where the archives are).",
        exit_code=ExitCode.NOT_FOUND,
    )


def says_of_spec(
    context: OperationContext | None, ref: ClusterRef, manifest: Manifest | None
) -> tuple[str, ...]:
    """For people who look at an archive: what the MiniCluster of its manifest asks for."""
    claimed = manifest.saved_object if manifest is not None else None
    if claimed is None:
        return ()
    if context is not None:
        place = (context.state_dir, context.cluster.server, ref.namespace, ref.name)
        if manifest_cache.has_seen(*place, claimed):
            words = grave_words(_of(claimed)) or "nothing unusual"
            return (f"its MiniCluster, as it was seen from here, asks for: {words}",)
        seen = manifest_cache.recall(*place)
        if seen is not None:
            other = [*map(str, differences(_of(seen), _of(claimed)))]
            return _limited("the MiniCluster of its manifest is not the one known here:", other)
    asked = [*map(str, rights_of(_of(claimed)))]
    return _limited("the MiniCluster of its manifest, never seen from here, asks for:", asked)


def _of(raw: dict[str, Any]) -> dict[str, Any]:
    """What is compared: its spec, and what its labels and annotations may ask others for."""
    metadata = manifest_cache.metadata_asked(raw)
    spec = dict(raw["spec"]) if isinstance(raw.get("spec"), dict) else {}
    return {**spec, **({"metadata": metadata} if metadata else {})}


def _summary(origin: Origin, raw: dict[str, Any]) -> tuple[str, ...]:
    words = grave_words(_of(raw))
    return (f"It is created {origin.value}" + (f"; it asks for: {words}." if words else "."),)


def _claim(how: str, lines: list[str]) -> tuple[str, ...]:
    """All of it, or nothing can be agreed to."""
    if len(lines) > MOST_LINES:
        raise FluxstateError(
            f"the MiniCluster of the archive's manifest {how} {len(lines)} things, which nobody "
            "can agree to",
            safe="Nothing was done.",
            advice="Give its manifest: --file MANIFEST.",
            exit_code=ExitCode.REFUSED,
        )
    head = f"It is created {Origin.CLAIMED.value}. It {how}:"
    return (head, *(f"  {line}" for line in lines or ["nothing"]))


def _unused(ref: ClusterRef, lines: list[str]) -> tuple[str, ...]:
    count = f"{len(lines)} field" + ("s" if len(lines) != 1 else "")
    head = f"The archive's manifest has another MiniCluster ({count} differ), which is not used:"
    more = [f"… and {len(lines) - _A_FEW} more"] if len(lines) > _A_FEW else []
    shown = (f"  {line}" for line in [*lines[:_A_FEW], *more])
    return (head, *shown, f"  (--accept-spec {ref.name} uses it, and shows all of it first)")


def _limited(head: str, lines: list[str]) -> tuple[str, ...]:
    more = [f"… and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return (head, *(f"  {line}" for line in [*lines[:MOST_LINES], *more] or ["nothing"]))
