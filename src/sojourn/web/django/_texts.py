"""Types that let Django's text values, such as those in its messages, be stored."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe

TYPES = {
    "SafeString": (SafeString, lambda text: text + "", mark_safe),
    "lazy": (Promise, lambda text: text + ""),
}
"""Entries for the setting `types`.  A lazy translation is stored in the current language."""
