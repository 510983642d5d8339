"""A store in memory that takes values for a session which its caller has not read."""

from __future__ import annotations

from sojourn.providers.memory import MemoryProvider
from sojourn.record import Assignment, Changes, Outcome, Record, is_live, size_of


class AssigningMemory(MemoryProvider):
    """The provider in memory with the optional method `assign`."""

    def assign(self, assignment: Assignment) -> Record | None:
        record = self.read(assignment.id)
        if record is None or not is_live(record, assignment.now):
            return None
        if size_of({**record.fields, **assignment.put}) > assignment.max_size:
            return None
        changes = Changes(assignment.now, put=assignment.put, lifetime=record.lifetime)
        interval, lifetime = assignment.touch_interval, assignment.max_lifetime
        if record.lifetime is not None:
            interval, lifetime = min(interval, record.lifetime / 60), record.lifetime
        if assignment.now - record.seen >= interval:
            expires = assignment.now + lifetime
            if assignment.absolute_lifetime is not None:
                expires = min(expires, record.created + assignment.absolute_lifetime)
            changes = changes._replace(expires=expires)
        if self.update(record, changes) is not Outcome.APPLIED:
            return None
        stored = self.read(assignment.id)
        return stored and stored._replace(fields={})
