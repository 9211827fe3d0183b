"""What exchanges tell of a key, and what mm-doctor makes of it."""

from __future__ import annotations

import pytest

from actors.accounts.codec import ProtocolError
from actors.accounts.mexc.spot import MexcKeyInquiry
from actors.accounts.okx.codec import OkxKeyInquiry
from actors.accounts.permissions import KeyPermissions
from assembly.doctor.judgement import judge_permissions


def configuration(permissions: str) -> bytes:
    return f'{{"code":"0","msg":"","data":[{{"uid":"1","acctLv":"1","perm":"{permissions}"}}]}}'.encode()


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ("read_only", KeyPermissions(may_trade=False, may_withdraw=False)),
        ("read_only,trade", KeyPermissions(may_trade=True, may_withdraw=False)),
        ("read_only,withdraw,trade", KeyPermissions(may_trade=True, may_withdraw=True)),
        ("", KeyPermissions(may_trade=False, may_withdraw=False)),
    ],
)
def test_okx_tells_what_the_key_may_do(permissions: str, expected: KeyPermissions) -> None:
    assert OkxKeyInquiry().decode(configuration(permissions)) == expected


def test_mexc_tells_of_the_account_only() -> None:
    assert MexcKeyInquiry().decode(b'{"canTrade":true,"canWithdraw":true,"balances":[]}') == KeyPermissions(may_trade=None)
    assert MexcKeyInquiry().decode(b'{"canTrade":false,"balances":[]}') == KeyPermissions(may_trade=False)


@pytest.mark.parametrize("inquiry", [OkxKeyInquiry(), MexcKeyInquiry()])
def test_answer_about_a_key_that_cannot_be_read_is_a_protocol_error(inquiry: OkxKeyInquiry | MexcKeyInquiry) -> None:
    with pytest.raises(ProtocolError):
        inquiry.decode(b'{"code":"0","data":[]}')


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (None, "skip"),
        (KeyPermissions(may_trade=None), "skip"),
        (KeyPermissions(may_trade=False, may_withdraw=True), "fail"),
        (KeyPermissions(may_trade=True, may_withdraw=True), "warn"),
        (KeyPermissions(may_trade=True, may_withdraw=False), "ok"),
        (KeyPermissions(may_trade=True), "ok"),
    ],
)
def test_permissions_are_judged(permissions: KeyPermissions | None, status: str) -> None:
    assert judge_permissions(permissions, "some_spot").status.value == status
