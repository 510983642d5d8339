"""Laws 9 and 11: a verb of the file provider happens whole or not at all, at whichever call it fails.

`SOJOURN_SEARCH`, a factor, makes the random search longer.
"""

from __future__ import annotations

import errno
import os

import pytest

from tests.hard.disk_faults import DEEDS, LASTING, Faults, Search, tried

BUDGET = 400
"""Random tries; some 10 ms each."""


def calls_of(deed: str, *, fsync: bool, after: bool) -> list[int]:
    """The numbers of the calls that a deed makes.

    Of a row of opens, as where all folders are looked for, the first and the last; `after`: those
    that may have been done though they report an error.
    """
    faults = Faults({})
    tried(deed, faults, fsync=fsync)
    calls = ["", *faults.calls, ""]
    return [
        number
        for number, name in enumerate(faults.calls)
        if calls[number : number + 3] != ["open"] * 3 and (not after or name in LASTING)
    ]


@pytest.mark.parametrize("after", [False, True], ids=["refused", "done-all-the-same"])
@pytest.mark.parametrize("fsync", [False, True], ids=["", "fsync"])
@pytest.mark.parametrize("deed", DEEDS)
def test_a_verb_fails_whole_at_every_call(deed: str, fsync: bool, after: bool) -> None:
    numbers = calls_of(deed, fsync=fsync, after=after)
    assert numbers
    for number in numbers:
        faults = Faults({number: errno.EIO if after else errno.ENOSPC}, after=after)
        try:
            tried(deed, faults, fsync=fsync)
        except BaseException as error:
            error.add_note(f"at call {number}: {faults.calls}")
            raise


def test_random_faults_up_to_three_in_a_row() -> None:
    search = Search(seed=11)
    for _ in range(int(BUDGET * float(os.environ.get("SOJOURN_SEARCH", "1")))):
        search.one()
