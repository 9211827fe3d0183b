"""What guardians write, and how the next start reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assembly.guardian.events import Outcome
from assembly.guardian.plan import Cause
from assembly.guardian.records import AccountRecord, Record, take_records, write_record

NOBODY = 2**22 + 1  # above every process id that Linux gives


def record(*, process: int = NOBODY, began_at: str = "2026-01-01T00:00:00.000Z", ended_at: str = "", installation: str = "mm") -> Record:
    account = AccountRecord(exchange="mexc_spot", outcome=Outcome.CONFIRMED, cancelled=["mm-btc-1"], trouble="none")
    return Record(
        installation=installation,
        runtime_process=1,
        process=process,
        cause=Cause.DIED,
        began_at=began_at,
        accounts={"main": account, "hedge": AccountRecord(exchange="okx_spot", left_open=["mm-btc-2"])},
        ended_at=ended_at,
    )


def test_record_that_was_written_is_told_once_with_all_that_is_in_it(tmp_path: Path) -> None:
    write_record(record(ended_at="2026-01-01T00:00:05.000Z"), tmp_path / "var")
    taken = take_records(tmp_path / "var", "mm")
    assert [(event.account, event.exchange, event.outcome) for event in taken.over] == [
        ("main", "mexc_spot", Outcome.CONFIRMED),
        ("hedge", "okx_spot", Outcome.UNDER_WAY),
    ]
    (main, hedge) = taken.over
    assert (main.cancelled, main.left_open, main.trouble, main.process) == (("mm-btc-1",), (), "none", NOBODY)
    assert hedge.left_open == ("mm-btc-2",)
    assert main.cause == "mm-runtime (process 1) died without saying goodbye"
    assert (main.began_at, main.ended_at) == ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:05.000Z")
    assert take_records(tmp_path / "var", "mm").over == []
    assert [path.suffix for path in (tmp_path / "var").iterdir()] == [".told"]


def test_record_is_replaced_as_a_whole_and_written_again_under_the_same_name(tmp_path: Path) -> None:
    write_record(record(), tmp_path)
    write_record(record(ended_at="2026-01-01T00:00:05.000Z"), tmp_path)
    (event, _) = take_records(tmp_path, "mm").over
    assert event.ended_at


def test_records_are_told_oldest_first(tmp_path: Path) -> None:
    for began_at in ("2026-01-01T00:00:02.000Z", "2026-01-01T00:00:01.000Z", "2026-01-01T00:00:03.000Z"):
        write_record(record(began_at=began_at, ended_at="later"), tmp_path)
    assert [event.began_at[17:19] for event in take_records(tmp_path, "mm").over] == ["01", "01", "02", "02", "03", "03"]


def test_record_of_a_guardian_that_is_still_at_it_stays(tmp_path: Path) -> None:
    write_record(record(process=os.getpid()), tmp_path)
    for _ in range(2):
        taken = take_records(tmp_path, "mm")
        assert taken.over == []
        assert [[event.account for event in events] for events in taken.under_way.values()] == [["main", "hedge"]]


def test_record_of_a_guardian_that_was_cut_short_is_told_as_far_as_it_came(tmp_path: Path) -> None:
    write_record(record(process=NOBODY), tmp_path)
    assert [event.ended_at for event in take_records(tmp_path, "mm").over] == ["", ""]


def test_records_of_other_installations_are_left_to_them(tmp_path: Path) -> None:
    write_record(record(installation="mm2", ended_at="x"), tmp_path)
    assert take_records(tmp_path, "mm").over == []
    assert len(take_records(tmp_path, "mm2").over) == 2


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b'{"installation":"mm"}', b"[1, 2"])
def test_file_that_is_no_record_is_told_once_and_hides_no_other(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mm-1.json").write_bytes(content)
    write_record(record(ended_at="x"), tmp_path)
    taken = take_records(tmp_path, "mm")
    assert len(taken.over) == 2
    assert "mm-1.json" in taken.troubles[0]
    assert take_records(tmp_path, "mm").troubles == []


def test_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    taken = take_records(tmp_path / "nowhere", "mm")
    assert (taken.over, taken.under_way, taken.troubles) == ([], {}, [])


def test_record_that_cannot_be_renamed_is_told_and_that_it_will_be_again(tmp_path: Path) -> None:
    write_record(record(ended_at="x"), tmp_path)
    (path,) = tmp_path.iterdir()
    told = path.with_name(path.name + ".told")
    told.mkdir()
    (told / "in the way").touch()
    taken = take_records(tmp_path, "mm")
    assert len(taken.over) == 2
    assert "will be told again" in taken.troubles[0]
