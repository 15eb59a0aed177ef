"""What others take of the machine while something is timed."""

import os
import time
from pathlib import Path


class Load:
    """Counts what others take of the machine from now on: figures of a round in which they took a core mean little."""

    def __init__(self) -> None:
        self.start = self._seconds()

    def of_others(self) -> float:
        """Cores that processes other than this one and its children kept busy, on average."""
        wall, all_busy, own = (now - then for now, then in zip(self._seconds(), self.start, strict=True))
        return max(0.0, all_busy - own) / wall

    @staticmethod
    def _seconds() -> tuple[float, float, float]:
        user, nice, system, _idle, _wait, irq, soft_irq, steal = Path("/proc/stat").read_text().split()[1:9]
        ticks = sum(map(int, (user, nice, system, irq, soft_irq, steal)))
        return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])
