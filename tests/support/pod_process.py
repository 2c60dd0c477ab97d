"""PodProcess: a pod of the manifests, run here as a cluster would: its user, its environment, a root it cannot write.

What a kubelet does to a container's file system is done in a mount namespace: the root is remounted read-only, and
the volumes are mounted where the manifest says. Left out are the image (the tests' own Python stands for it), seccomp,
and a network of its own.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.kubernetes_objects import ROOT, Object, container_of
from tests.support.node_process import SEEN_SECONDS

IMAGE = {"FLOWD_HOME": "/var/lib/flowd", "FLOWD__API__HOST": "0.0.0.0", "PYTHONUNBUFFERED": "1"}
"""What the Dockerfile sets."""

HOME = {"HOME": IMAGE["FLOWD_HOME"]}
"""What a container is told of its user."""

KEPT = "/run/kept"


class CannotMakePods(Exception):
    """This user, or this container, may not make mount namespaces."""


def refuse_without_namespaces() -> None:
    """Raise CannotMakePods where no pod can be started."""
    try:
        subprocess.run(["unshare", "--mount", "--uts", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotMakePods(f"a mount namespace cannot be made here: {error}; run the tests as root") from error


@dataclass(slots=True, kw_only=True)
class PodProcess:
    """One pod of the template; its volumes lie in `folder`, but for those of claims, which lie in `claims`."""

    name: str
    pod: Object
    environ: Mapping[str, str]
    folder: Path
    claims: Path
    process: "subprocess.Popen[bytes] | None" = None
    _log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._log = self.folder / "log"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    def start(self) -> "PodProcess":
        """Start the container."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--uts", "sh", "-euc", self._script()],
                env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **HOME, **IMAGE, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def run(self, seconds: float = SEEN_SECONDS) -> int:
        """Run the container to its end, and return its exit code."""
        self.start()
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> int:
        """SIGTERM, as a kubelet does to end a pod; return the exit code if it comes within the grace period."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(self.pod["spec"]["terminationGracePeriodSeconds"])

    def asks(self, probe: str) -> bool:
        """Whether the command of the probe, run in the container, is content."""
        assert self.process is not None and self.process.poll() is None, self.log
        command = container_of(self.pod)[probe]["exec"]["command"]
        inside = ["nsenter", "--mount", "--target", str(self.process.pid), "--", *command]
        return subprocess.run(inside, capture_output=True, check=False).returncode == 0

    def destroy(self) -> None:
        """End whatever is left of it."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _script(self) -> str:
        """Make the container's file system, become its user, and go on as flowd."""
        context = self.pod["spec"]["securityContext"]
        user, group, shared = context["runAsUser"], context["runAsGroup"], context["fsGroup"]
        become = [
            *("setpriv", f"--reuid={user}", f"--regid={group}", f"--groups={shared}", "--no-new-privs"),
            # Instead of none: the Python that stands for the image may lie in a folder that is root's alone.
            *(f"--{kind}=-all,+dac_read_search" for kind in ("bounding-set", "inh-caps", "ambient-caps")),
        ]
        flowd = [str(Path(sys.executable).with_name("flowd")), *container_of(self.pod)["args"]]
        lines = [
            f"echo {self.name} > /proc/sys/kernel/hostname",
            *self._mounts(shared),
            "mount -o remount,bind,ro /",
            f"cd {IMAGE['FLOWD_HOME']}",
            shlex.join(["exec", *become, *flowd]),
        ]
        return "\n".join(lines)

    def _mounts(self, group: int) -> Iterator[str]:
        """The volumes in their places. What they cover and the test still needs is put back."""
        volumes = {one["name"]: one for one in self.pod["spec"]["volumes"]}
        sources = [self._source(volumes[one["name"]], group) for one in container_of(self.pod)["volumeMounts"]]
        places = [one["mountPath"] for one in container_of(self.pod)["volumeMounts"]]
        kept = [*sources, ROOT, Path(sys.prefix), Path(sys.base_prefix)]
        yield "mount -t tmpfs -o mode=755 tmpfs /run"
        for number, path in enumerate(kept):
            yield f"mkdir -p {KEPT}/{number}"
            yield f"mount --bind {shlex.quote(str(path))} {KEPT}/{number}"
        # A folder for the volume to be mounted on is made in memory, not on this machine's disk.
        for parent in sorted({str(Path(place).parent) for place in places} - {"/", "/run"}):
            yield f"mount -t tmpfs -o mode=755 tmpfs {parent}"
        for number, place in enumerate(places):
            yield f"mkdir -p {place}"
            yield f"mount --bind {KEPT}/{number} {place}"
        for number, path in enumerate(kept[len(sources) :], len(sources)):
            if any(path.is_relative_to(place) for place in places):
                yield f"mkdir -p {shlex.quote(str(path))}"
                yield f"mount --bind {KEPT}/{number} {shlex.quote(str(path))}"
        for parent in sorted({str(Path(place).parent) for place in places} - {"/"}):
            yield f"mount -o remount,ro {parent}"

    def _source(self, volume: Object, group: int) -> Path:
        """The folder of a volume, which belongs to root and, by fsGroup, to the group of the pod."""
        claim = volume.get("persistentVolumeClaim")
        source = self.folder / str(volume["name"]) if claim is None else self.claims / str(claim["claimName"])
        source.mkdir(parents=True, exist_ok=True)
        os.chown(source, 0, group)
        source.chmod(0o2775)
        return source


@contextmanager
def started(pods: Sequence[PodProcess]) -> Iterator[None]:
    """The pods, for the length of the context."""
    try:
        for pod in pods:
            pod.start()
        yield
    finally:
        for pod in pods:
            pod.destroy()
