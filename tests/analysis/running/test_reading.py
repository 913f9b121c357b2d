"""Reading a frame: rows meet by a hash of the patient, COPY comes in blocks of whole rows, errors are raised."""

import numpy as np
import psycopg
import pytest
from django.db import connection, transaction

from registry.analysis.data.frame import Finder
from sites.database.copying import blocks


def test_rows_find_their_patients_and_strangers_find_none():
    finder = Finder(np.array([30, -10, 20]))
    assert finder.distinct
    assert finder.places(np.array([20, 5, -10, 31, 30])).tolist() == [2, -1, 1, -1, 0]
    assert not Finder(np.array([7, 1, 7])).distinct
    assert Finder(np.array([], np.int64)).places(np.array([1, 2])).tolist() == [-1, -1]


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [0, 1, 50_000])
def test_blocks_are_all_rows_and_whole_ones(rows):
    with transaction.atomic(), connection.cursor() as cursor:
        lines = list(blocks(cursor, f"COPY (SELECT i FROM generate_series(1, {rows}) AS i) TO STDOUT", 1000))
        cursor.execute("SELECT 1")  # the connection is free again
    assert b"".join(lines).split() == [str(i).encode() for i in range(1, rows + 1)]
    assert all(block.endswith(b"\n") for block in lines)
    assert all(len(block) >= 1000 for block in lines[:-1])


@pytest.mark.django_db
def test_what_goes_wrong_halfway_is_raised_and_leaves_the_connection_usable():
    halfway = "COPY (SELECT 1 / (40000 - i) FROM generate_series(1, 50000) AS i) TO STDOUT"
    with pytest.raises(psycopg.errors.DivisionByZero), transaction.atomic(), connection.cursor() as cursor:
        list(blocks(cursor, halfway))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 2")
        assert cursor.fetchone() == (2,)
