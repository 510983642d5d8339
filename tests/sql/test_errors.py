"""What an error of a driver means: above all, whether the statement may have been carried out."""

from __future__ import annotations

import sqlite3
import struct

import psycopg
import pymysql
import pytest

from sojourn.providers.sql.driver import Fault, fault_of
from sojourn.providers.sql.dsn import MySQL
from sojourn.providers.sql.mysql_drivers import PyMySQL
from sojourn.providers.sql.mysql_faults import fault as mysql_fault
from sojourn.providers.sql.postgres_faults import fault as postgres_fault
from sojourn.providers.sql.sqlite import _Driver

NUMBERS = {
    Fault.LOST: (0, 1053, 1180, 1317, 1927, 2000, 2006, 2013, 2026, 2027, 2055),
    Fault.BUSY: (1020, 1205, 1213),
    Fault.TAKEN: (1048, 1062),
    Fault.TOO_LARGE: (1153, 2020),
    Fault.ABSENT: (1146,),
    Fault.OTHER_COLUMNS: (1054, 1136),
    Fault.DENIED: (1142, 1143),
    Fault.READ_ONLY: (1290, 1792, 1836),
    Fault.REFUSED: (1030, 1114, 1644, 1969),
}
CODES = {
    Fault.LOST: ("08006", "08007", "57P01", "XX000", "40003"),
    Fault.BUSY: ("40001", "40P01", "55P03"),
    Fault.TAKEN: ("23505", "23502"),
    Fault.TOO_LARGE: ("54000",),
    Fault.ABSENT: ("42P01",),
    Fault.OTHER_COLUMNS: ("42703", "42804"),
    Fault.DENIED: ("42501",),
    Fault.READ_ONLY: ("25006",),
    Fault.REFUSED: ("53100", "57014", "58030", "P0001"),
}
TEXTS = {
    Fault.ABSENT: "no such table: sessions",
    Fault.OTHER_COLUMNS: "no such column: head",
    Fault.REFUSED: "interrupted",
}


@pytest.mark.parametrize(
    ("fault", "number"), [(fault, number) for fault in NUMBERS for number in NUMBERS[fault]]
)
def test_errors_of_mysql(fault: Fault, number: int) -> None:
    error = pymysql.err.OperationalError(number, "a reason")
    assert mysql_fault(MySQL(database="shop"), error)[0] is fault


@pytest.mark.parametrize(
    ("fault", "code"), [(fault, code) for fault in CODES for code in CODES[fault]]
)
def test_errors_of_postgres(fault: Fault, code: str) -> None:
    error = psycopg.OperationalError("a reason")
    error.sqlstate = code
    assert postgres_fault(error)[0] is fault


@pytest.mark.parametrize("fault", TEXTS, ids=str)
def test_errors_of_sqlite(fault: Fault) -> None:
    driver = _Driver("sessions.db", 1.0, fsync=False)
    assert driver.fault(sqlite3.OperationalError(TEXTS[fault]))[0] is fault


@pytest.mark.parametrize(
    "error",
    [
        IndexError("of a payload"),
        struct.error("of a payload"),
        UnicodeDecodeError("utf-8", b"of a payload", 0, 1, ""),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_driver_that_stumbles_says_nothing_of_the_data(error: Exception) -> None:
    """Nobody knows what the statement did, and the connection is of no use any more."""
    fault, reason = fault_of(PyMySQL(MySQL(database="shop"), 1.0), error)
    assert fault is Fault.LOST
    assert type(error).__name__ in reason
    assert "payload" not in reason
