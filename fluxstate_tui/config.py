"""The configuration file `config.yaml`, in `$FLUXSTATE_CONFIG_DIR` or the user's folder for such.

It can never make a start fail. A key that is not understood is told in one sentence and has its
default; a list of protected contexts that cannot be read protects every context.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

FILE = "config.yaml"
EVERYTHING = "*"

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")
_SIZES = {"MiB": 1 << 20, "GiB": 1 << 30}
_ROOM = re.compile(r"(\d{1,6})\s*([MG]iB)")
_SPAN_WORDS = "a time such as 90s, 30m, 12h, 14d"
SHORTEST_CHECKPOINT = 5.0
SHORTEST_SAVE = 60.0
ROOM_FOR_COPIES = 1 << 30
SIGNING_SECRET = "fluxstate-signing"
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class GuardSettings(Struct, frozen=True):
    """Seconds between checkpoints, and between automatic saves; None is off."""

    checkpoint: float | None = 60.0
    save: float | None = None


class RetentionSettings(Struct, frozen=True):
    """What `archives prune` keeps unless told otherwise: the newest, and seconds of age."""

    keep_last: int | None = None
    keep_within: float | None = None


class HelperPodSettings(Struct, frozen=True):
    """Of the pods that read archives when nothing runs: their image, None for the MiniCluster's
    own; and whether they are started without being asked for."""

    image: str | None = None
    always: bool = False


class Config(Struct, frozen=True):
    """Everything that can be configured. `problems` are sentences about what was not understood.

    `protected` are names of kubeconfig contexts, with `*` and `?`: they are read-only by default.
    `room_for_copies` is in bytes: of archives that stay on this computer after a delete.
    `signing_secret` holds the keys that manifests are signed with, '' for no signatures.
    `silenced` are codes or slugs of diagnoses that are not told.
    """

    theme: str | None = None
    protected: tuple[str, ...] = ()
    guard: GuardSettings = field(default_factory=GuardSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    helper_pod: HelperPodSettings = field(default_factory=HelperPodSettings)
    room_for_copies: int = ROOM_FOR_COPIES
    signing_secret: str = SIGNING_SECRET
    silenced: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def protects(self, *names: str) -> bool:
        """Whether one of these contexts (or clusters) is protected."""
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.protected)


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the file is looked for."""
    override = environ.get("FLUXSTATE_CONFIG_DIR")
    if override:
        return Path(override).expanduser() / FILE
    import platformdirs  # later than the first paint, or for commands

    return Path(platformdirs.user_config_dir("fluxstate")) / FILE


def load_config(path: Path) -> Config:
    """Read it. A file that is not there is an empty one; nothing is raised."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        return _unreadable(path, f"cannot be read ({error})")
    from fluxstate_tui.yaml_text import YamlError, load  # only who has a file pays for it

    try:
        data = load(text, finite=False)
    except YamlError as error:
        where = f" in line {error.line}" if error.line else ""
        return _unreadable(path, f"is not valid YAML{where} ({error.problem})")
    if data is None:
        return Config()
    if not isinstance(data, dict):
        return _unreadable(path, "is not a mapping of settings")
    return _Reader(str(path)).read(data)


def span(value: Any) -> float:
    """Seconds of `90`, `90s`, `30m`, `12h`, `14d` or `2w`. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ValueError(_SPAN_WORDS)
        seconds = float(match[1]) * _UNITS[match[2] or "s"]
    if not 0 <= seconds < 1e10:  # neither negative, nor nan, nor longer than there were computers
        raise ValueError(_SPAN_WORDS)
    return seconds


def _unreadable(path: Path, why: str) -> Config:
    text = f"{path} {why}: all settings have their defaults, and every context is read-only"
    return Config(protected=(EVERYTHING,), problems=(f"{text} (--write allows changes).",))


class _Reader:
    """Takes one key after the other; what is wrong is told and left out."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._problems: list[str] = []

    def read(self, data: dict[Any, Any]) -> Config:
        """The whole file."""
        config = Config(
            theme=self._take(data, "theme", _text, None),
            protected=self._take(data, "protected", _names, (EVERYTHING,), absent=()),
            guard=self._guard(self._part(data, "guard")),
            retention=self._retention(self._part(data, "retention")),
            helper_pod=self._helper_pod(self._part(data, "helper-pod")),
            room_for_copies=self._take(data, "copies", _room, ROOM_FOR_COPIES),
            signing_secret=self._take(data, "signing-secret", _secret_name, SIGNING_SECRET),
            silenced=self._take(data, "silence", _codes, ()),
        )
        self._unknown("", data)
        if any(_means_protected(key) for key in data):
            # Whoever meant to protect a context must not find out by a change that it was not.
            self._problems.append(
                f"{self._where}: did you mean protected? Every context is read-only."
            )
            config = replace(config, protected=(EVERYTHING,))
        return replace(config, problems=tuple(self._problems))

    def _guard(self, data: dict[Any, Any]) -> GuardSettings:
        usual = GuardSettings()
        checkpoint = self._take(data, "checkpoint", _often(SHORTEST_CHECKPOINT), usual.checkpoint)
        save = self._take(data, "save", _often(SHORTEST_SAVE), usual.save)
        self._unknown("guard.", data)
        return GuardSettings(checkpoint, save)

    def _retention(self, data: dict[Any, Any]) -> RetentionSettings:
        last = self._take(data, "keep-last", _count, None)
        within = self._take(data, "keep-within", span, None)
        self._unknown("retention.", data)
        return RetentionSettings(last, within)

    def _helper_pod(self, data: dict[Any, Any]) -> HelperPodSettings:
        image = self._take(data, "image", _image, None)
        always = self._take(data, "start", _ask_or_always, otherwise=False)
        self._unknown("helper-pod.", data)
        return HelperPodSettings(image, always)

    def _part(self, data: dict[Any, Any], key: str) -> dict[Any, Any]:
        return dict(self._take(data, key, _mapping, {}))

    def _take(
        self,
        data: dict[Any, Any],
        key: str,
        understand: Callable[[Any], Any],
        otherwise: Any,
        **absent: Any,
    ) -> Any:
        if key not in data:
            return absent.get("absent", otherwise)
        value = data.pop(key)
        try:
            return understand(value)
        except ValueError as error:
            used = "every context is read-only" if otherwise == (EVERYTHING,) else "it is left out"
            self._problems.append(f"{self._where}: {key} must be {error}, not {value!r}; {used}.")
            return otherwise

    def _unknown(self, prefix: str, rest: dict[Any, Any]) -> None:
        for key in rest:
            self._problems.append(f"{self._where}: there is no setting {prefix}{key}.")


def _means_protected(key: object) -> bool:
    from difflib import get_close_matches  # only a mistake needs it

    return bool(get_close_matches(str(key).casefold(), ["protected"], cutoff=0.8))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a name")
    return value


def _image(value: Any) -> str:
    if not isinstance(value, str) or not value or value.split() != [value]:
        raise ValueError("a container image")
    return value


def _secret_name(value: Any) -> str:
    if value is False or value == "off":
        return ""
    if not isinstance(value, str) or not _OBJECT_NAME.fullmatch(value):
        raise ValueError("off or the name of a Secret")
    return value


def _ask_or_always(value: Any) -> bool:
    if value not in ("ask", "always"):
        raise ValueError("ask or always")
    return bool(value == "always")


def _names(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("a list of names of contexts")
    return tuple(names)


def _codes(value: Any) -> tuple[str, ...]:
    codes = [value] if isinstance(value, str) else value
    if not isinstance(codes, list) or not all(isinstance(code, str) and code for code in codes):
        raise ValueError("a list of diagnoses, such as FS321 or queue-stopped")
    return tuple(codes)


def _mapping(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError("a mapping of settings")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("a number of archives, at least 1")
    return value


def _room(value: Any) -> int:
    if value is False or value == "off":
        return 0
    match = _ROOM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("off or a size such as 500MiB, 2GiB")
    return int(match[1]) * _SIZES[match[2]]


def _often(shortest: float) -> Callable[[Any], float | None]:
    """A period; `off`, `no` (YAML makes False of them) or 0 for never."""

    def understand(value: Any) -> float | None:
        if value is False or value == "off" or value == 0:
            return None
        try:
            seconds = span(value)
        except ValueError:
            seconds = 0.0
        if seconds < shortest:
            raise ValueError(f"off, or {_SPAN_WORDS}, at least {shortest:g}s")
        return seconds

    return understand
