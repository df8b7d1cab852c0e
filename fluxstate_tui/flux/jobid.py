"""Flux job ids: 64-bit integers with several spellings (RFC 19, FLUID; flux-core 0.88)."""

from __future__ import annotations

import re

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE = {digit: value for value, digit in enumerate(_ALPHABET)}
_LIMIT = 1 << 64
_DOTHEX = re.compile(r"(?:job\.)?[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){3}", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,20}", re.ASCII)
_F58 = re.compile(r"[ƒf][1-9A-HJ-NP-Za-km-z]{1,11}")


def parse_job_id(text: str | int) -> int:
    """The job id in any of Flux's forms: ƒ58, f58, decimal, 0x hex, dothex, or a KVS key.

    Raises ValueError for anything else, bare base58 and more than 64 bits included.
    """
    if isinstance(text, int):
        value = text
    elif _DECIMAL.fullmatch(text):
        value = int(text)
    elif _F58.fullmatch(text):
        value = _from_base58(text[1:])
    elif _HEX.fullmatch(text):
        value = int(text, 16)
    elif _DOTHEX.fullmatch(text):
        value = int(text.removeprefix("job.").replace(".", ""), 16)
    else:
        raise ValueError(f"not a job id: {text!r}")
    if not 0 <= value < _LIMIT:
        raise ValueError(f"not a 64-bit job id: {text!r}")
    return value


def f58(job_id: int) -> str:
    """`ƒ` and base58: how Flux prints a job id."""
    return "ƒ" + _to_base58(job_id)


def f58_ascii(job_id: int) -> str:
    """`f` and base58: the form for the wire and for terminals without UTF-8."""
    return "f" + _to_base58(job_id)


def dothex(job_id: int) -> str:
    """Sixteen hex digits in four groups, such as `0000.0008.fb00.0000`."""
    digits = f"{job_id:016x}"
    return ".".join((digits[:4], digits[4:8], digits[8:12], digits[12:]))


def hex_id(job_id: int) -> str:
    """Hexadecimal without padding, such as `0x8fb000000`."""
    return f"{job_id:#x}"


def kvs_key(job_id: int) -> str:
    """The job's directory in the KVS, such as `job.0000.0008.fb00.0000`."""
    return "job." + dothex(job_id)


def _to_base58(value: int) -> str:
    if value == 0:
        return _ALPHABET[0]
    digits = []
    while value:
        value, digit = divmod(value, 58)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _from_base58(text: str) -> int:
    value = 0
    for digit in text:
        value = value * 58 + _VALUE[digit]
    return value
