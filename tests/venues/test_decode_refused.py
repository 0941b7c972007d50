"""What is refused at the door: fields that a worker could not take, and bytes that are no frame of any venue."""

import pytest

from streams.venues.decode import normalise
from streams.venues.frames import Unreadable
from tests.venues import corpus
from tests.venues.corpus import FRAMES, Frame
from tests.venues.payloads import RECEIPT, changed, raw

_BAD = [
    ("binance_usdm", corpus.ORDER, "o.i", 8.5), ("binance_usdm", corpus.ORDER, "o.i", "9.00719925474099e+15"),
    ("binance_usdm", corpus.ORDER, "o.i", ...), ("binance_usdm", corpus.ORDER, "o.s", ""),
    ("binance_usdm", corpus.ORDER, "o.q", "NaN"), ("binance_usdm", corpus.ORDER, "o.q", "-1"), ("binance_usdm", corpus.ORDER, "o.p", "-1"),
    ("binance_usdm", corpus.ORDER, "o.L", ""), ("binance_usdm", corpus.ORDER, "o.L", "-5"), ("binance_usdm", corpus.ORDER, "o.L", "1e40"),
    ("binance_usdm", corpus.ORDER, "o", []), ("binance_usdm", corpus.ORDER, "o.X", None), ("binance_usdm", corpus.ORDER, "E", "now"),
    ("binance_usdm", corpus.ORDER, "o.m", "maybe"), ("binance_usdm", corpus.ORDER, "o.c", "a\0b"),
    ("binance_usdm", corpus.ORDER, "o.c", "x" * 5_000), ("binance_usdm", corpus.ORDER, "o.unheard", "\0"), ("binance_usdm", corpus.ORDER,
        "o.t", 1.5), ("binance_usdm", corpus.ORDER, "e", None),
    ("binance_usdm", corpus.ACCOUNT, "a.B.0.wb", ...), ("binance_usdm", corpus.ACCOUNT, "a.B.0.a", ""),
    ("binance_usdm", corpus.ACCOUNT, "a.P.0.pa", "Infinity"), ("binance_usdm", corpus.ACCOUNT, "a.P.0.ep", "-1"),
    ("binance_usdm", corpus.ACCOUNT, "a.B", {"a": "USDT"}), ("binance_usdm", corpus.ACCOUNT, "a.P", ["x"]),
    ("bybit_v5", corpus.BYBIT[3], "data.0.side", ""), ("bybit_v5", corpus.BYBIT[3], "data.0.size", ""), ("bybit_v5", corpus.BYBIT[3],
        "data", {}),
    ("bybit_v5", corpus.EXECUTIONS, "data.0.execId", ""), ("bybit_v5", corpus.EXECUTIONS, "data.2.execQty", "x"),
    ("okx_v5", corpus.OKX_ORDER, "data.0.ordId", ...), ("okx_v5", corpus.OKX_ORDER, "data.0.accFillSz", "-1"), ("okx_v5",
        corpus.OKX_ORDER, "arg", ...),
    ("okx_v5", corpus.OKX[2], "data.0.pos", ""), ("kucoin_futures", corpus.KUCOIN[4], "data.currency", ""),
    ("kucoin_futures", corpus.KUCOIN[5], "data.ANTUSDTM.leverage", 0), ("kucoin_futures", corpus.KUCOIN[0], "data.orderId", True),
]


@pytest.mark.parametrize(("venue", "frame", "path", "value"), _BAD, ids=lambda one: str(one)[:30])
def test_what_a_worker_could_not_take_is_unreadable_here(venue: str, frame: Frame, path: str, value: object) -> None:
    normalise(venue, raw(frame), RECEIPT)
    with pytest.raises(Unreadable, match="expected"):
        normalise(venue, raw(changed(frame, path, value)), RECEIPT)


@pytest.mark.parametrize("frame", [b"", b"[]", b"1", b'"x"', b"null", b"\xff\xfe{}", b'{"e": NaN}', b"[" * 100_000, b'{"e":"x",}',
                                   b'{"e":"ACCOUNT_UPDATE","e":"MARGIN_CALL"}', b'{"a":' + b"9" * 5_000 + b"}", b"{}", b'{"e":"\\ud800"'])
def test_bytes_that_are_no_frame_are_unreadable(frame: bytes) -> None:
    for venue in FRAMES:
        with pytest.raises(Unreadable):
            normalise(venue, frame, RECEIPT)
