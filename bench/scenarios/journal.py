"""The journal: where the tasks of the bench write down when their first instruction ran."""

from pathlib import Path


def first_instructions(journal: Path) -> dict[str, float]:
    """Return the seconds since 1970 of each run's first instruction, by run id."""
    if not journal.exists():
        return {}
    return {run_id: float(at) for run_id, at in (line.split() for line in journal.read_text().splitlines())}
