"""Times that go on where the clock of a file starts again or jumps.

Two recordings in one file (``cat a.ts b.ts``), or a recorder that was restarted: each part counts
from its own beginning. The parts are taken one after the other, as they lie in the file.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet

_BACK = Fraction(1, 10)  # seconds that a key frame may lie before what was shown
_FAR_BACK = Fraction(1)  # seconds that other packets may
_AHEAD = Fraction(10)  # seconds without a time that no broadcast has (ISO/IEC 13818-1: 0.7)


class Clock:
    """Corrects the times of the packets of one stream, in the order of the file.

    Attributes:
        jumps: how often the clock started again or jumped.
    """

    def __init__(self, unit: Fraction, *, broadcast: bool):
        """For times in `unit` seconds; `broadcast`: the container is MPEG-TS or MPEG-PS."""
        self.jumps = 0
        self._back, self._far_back = _BACK / unit, _FAR_BACK / unit
        self._ahead = _AHEAD / unit if broadcast else None
        self._offset = 0
        self._latest: int | None = None  # of the times so far
        self._decoded: int | None = None  # the last time of decoding
        self._end = 0  # when the last frame so far goes

    def correct(self, packet: Packet) -> None:
        """Shift the times of the packet by what the clock has jumped before it."""
        time = packet.dts if packet.pts is None else packet.pts
        if time is None:
            return
        if self._jumps_at(packet, time):
            self.jumps += 1
            self._offset = self._end - time
            self._decoded = None
        if packet.pts is not None:
            packet.pts += self._offset
        if packet.dts is not None:
            packet.dts += self._offset
            self._decoded = packet.dts
        time += self._offset
        self._latest = time if self._latest is None else max(time, self._latest)
        self._end = max(self._end, time + (packet.duration or 1))

    def _jumps_at(self, packet: Packet, time: int) -> bool:
        if self._latest is None:
            return False
        time += self._offset
        if packet.is_keyframe and time < self._latest - self._back:
            return True
        if self._ahead is not None and time > self._end + self._ahead:
            return True
        decoded = None if packet.dts is None else packet.dts + self._offset
        return (
            decoded is not None
            and self._decoded is not None
            and decoded < self._decoded - self._far_back
        )
