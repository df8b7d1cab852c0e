"""Job ids, idsets and hostlists in Flux's notations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.flux import hostlist, idset
from fluxstate_tui.flux.jobid import dothex, f58, f58_ascii, hex_id, kvs_key, parse_job_id

_TABLE = [
    (0, "0x0", "0000.0000.0000.0000", "ƒ1"),
    (38570819584, "0x8fb000000", "0000.0008.fb00.0000", "ƒ21mNXsm"),
    (99321118720, "0x1720000000", "0000.0017.2000.0000", "ƒ3cKfhJP"),
    (533632909312, "0x7c3f000000", "0000.007c.3f00.0000", "ƒF22K9Sw"),
    (18446744073709551615, "0xffffffffffffffff", "ffff.ffff.ffff.ffff", "ƒjpXCZedGfVQ"),
]


@pytest.mark.parametrize(("number", "in_hex", "dots", "short"), _TABLE)
def test_a_job_id_is_written_and_read_as_flux_does(
    number: int, in_hex: str, dots: str, short: str
) -> None:
    assert (hex_id(number), dothex(number), f58(number)) == (in_hex, dots, short)
    forms = (number, str(number), in_hex, dots, short, f58_ascii(number), kvs_key(number))
    assert [parse_job_id(form) for form in forms] == [number] * len(forms)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "21mNXsm",
        "ƒ",
        "ƒ0",
        "ƒl",
        "f" + "z" * 12,
        "-1",
        "0x",
        "1_0",
        "١",
        "18446744073709551616",
        "job.1",
    ],
)
def test_what_is_no_job_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="job id"):
        parse_job_id(text)


@given(st.integers(0, (1 << 64) - 1))
def test_every_job_id_survives_every_form(number: int) -> None:
    for form in (f58(number), f58_ascii(number), dothex(number), hex_id(number), kvs_key(number)):
        assert parse_job_id(form) == number


@given(st.sets(st.integers(0, 300)))
def test_every_idset_survives(ids: set[int]) -> None:
    text = idset.encode(ids)
    assert idset.decode(text) == idset.decode(f"[{text}]") == tuple(sorted(ids))
    assert idset.count(text) == len(ids)


def test_idsets_are_written_like_flux_writes_them() -> None:
    assert idset.encode([5, 0, 1, 2, 3]) == "0-3,5"
    assert idset.encode([]) == ""


@pytest.mark.parametrize("text", ["a", "3-1", "1,", "-", "0-99999999999", "1 2", "[1"])
def test_what_is_no_idset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="idset"):
        idset.decode(text)


def test_a_huge_idset_is_counted_but_not_expanded() -> None:
    assert idset.count("0-9999999999") == 10_000_000_000
    with pytest.raises(ValueError, match="too many"):
        idset.decode("0-9999999999")


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("flux-sample-[0-1]", ["flux-sample-0", "flux-sample-1"]),
        ("n[08-10,12],login", ["n08", "n09", "n10", "n12", "login"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("", []),
    ],
)
def test_hostlists_expand_in_order(text: str, hosts: list[str]) -> None:
    assert hostlist.expand(text) == hosts


@given(st.lists(st.tuples(st.sampled_from(["n", "a-b-", "x1y"]), st.integers(0, 120)), max_size=40))
def test_every_hostlist_survives(hosts: list[tuple[str, int]]) -> None:
    names = [f"{stem}{number}" for stem, number in hosts]
    assert hostlist.expand(hostlist.compress(names)) == names


@pytest.mark.parametrize("text", ["n[0-", "n]0[", "n[3-1]", "n[a]", "n[0-99999999]", "a,,b"])
def test_what_is_no_hostlist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hostlist"):
        hostlist.expand(text)
