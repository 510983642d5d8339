"""The three-way merge of a value that two requests changed at the same time."""

from sojourn._merge.comparer import Comparer
from sojourn._merge.three_way import ABSENT, reconcile

__all__ = ["ABSENT", "Comparer", "reconcile"]
