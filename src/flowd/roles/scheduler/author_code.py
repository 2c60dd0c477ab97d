"""AuthorCode: runs what DAG authors wrote for the scheduler, each call in a child process of its own."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flowd.child.keeper_client import Keeper
from flowd.child.launch import Call, Ended, Launch
from flowd.domain.ids import UNMAPPED, BundleHash, DagId, RunId
from flowd.logs.paths import log_path
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.look_ups import Library, LookUps

LOG_LIMIT_BYTES = 16 * 1024 * 1024
GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorCode:
    """What its processes are given: variables and connections, files, environment, and where their logs go."""

    library: Library
    bundles: BundleCache
    environ: Mapping[str, str]
    logs: Path

    def keeper(self) -> AbstractAsyncContextManager[Keeper]:
        """Open the keeper that `call` starts processes under."""
        return Keeper.open(env=self.environ, on_request=_nobody_asked)

    async def call(
        self,
        keeper: Keeper,
        entry: str,
        payload: Mapping[str, Any],
        *,
        bundle: BundleHash,
        dag_id: DagId,
        run_id: RunId,
        log: tuple[str, str],
        at_most: timedelta,
    ) -> Ended:
        """Run `entry` on the files of the bundle, and return how its process ended; one that takes longer is killed.

        `log` is what stands for the run and the task in the path of the log. Raises what keeps it from being started:
        BadBundle, NotFound, OSError, or Unavailable for a backend that is away.
        """
        async with self.bundles.hold(bundle) as root:
            launch = Launch(
                program=Call(entry=entry, payload={**payload, "bundle_root": root}),
                env=self.environ,
                log=str(log_path(self.logs, dag_id, RunId(log[0]), log[1], UNMAPPED, 1)),
                timeout_seconds=at_most.total_seconds(),
                grace_seconds=GRACE_SECONDS,
                log_limit_bytes=LOG_LIMIT_BYTES,
            )
            tree = await keeper.start(launch, LookUps(self.library, dag_id, run_id).answer)
            return await tree.wait()


async def _nobody_asked(attempt: int, _request: Mapping[str, object]) -> dict[str, object]:
    raise LookupError(f"attempt {attempt} is not a process of this scheduler")
