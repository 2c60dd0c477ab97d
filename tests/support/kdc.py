"""Kdc: a Kerberos realm of one test's own, with MIT's KDC on a port of loopback; the machine's own stays untouched."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.cluster.free_port import free_port
from tests.support.node_process import eventually

REALM = "FLOWD.TEST"
ENDING_SECONDS = 60

CLIENT = """\
[libdefaults]
    default_realm = {realm}
    ticket_lifetime = {life_seconds}s
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    udp_preference_limit = 1
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
"""
SERVER = """\
[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/database
        key_stash_file = {folder}/stash
        max_life = 10h
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
"""


@dataclass(slots=True, kw_only=True)
class Kdc:
    """A realm in `folder`. The variables of `environ` lead whatever speaks Kerberos there, and nowhere else."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @classmethod
    @contextmanager
    def running(cls, *, life_seconds: int = 36_000) -> Iterator["Kdc"]:
        """Run one for the time of the context; tickets of its realm are good for `life_seconds`."""
        with tempfile.TemporaryDirectory(prefix="flowd-kdc-") as name:
            kdc = cls(folder=Path(name), port=free_port())
            # Tasks of another user read the client's part of it.
            kdc.folder.chmod(0o711)
            words = {"realm": REALM, "port": kdc.port, "folder": name, "life_seconds": life_seconds}
            for path, text in ((kdc.client, CLIENT), (kdc.folder / "kdc.conf", SERVER)):
                path.write_text(text.format(**words))
                path.chmod(0o644)
            kdc.run("kdb5_util", "create", "-s", "-r", REALM, "-P", "a-master-key")
            kdc.start()
            try:
                yield kdc
            finally:
                kdc.stop()

    @property
    def client(self) -> Path:
        """The krb5.conf of its clients."""
        return self.folder / "krb5.conf"

    @property
    def environ(self) -> dict[str, str]:
        """What a process of the realm has in its environment."""
        return {"KRB5_CONFIG": str(self.client)}

    @property
    def log(self) -> str:
        """What the KDC has said so far: a line for each request."""
        return (self.folder / "kdc.log").read_text()

    def start(self) -> None:
        """Start the server, and return once it can be asked."""
        self.process = subprocess.Popen(
            [program("krb5kdc"), "-n"],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers, f"the KDC to listen on port {self.port}")

    def stop(self) -> None:
        """End the server, if it runs; what it knows stays."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(ENDING_SECONDS)
            self.process = None

    def add(self, principal: str) -> Path:
        """Make a principal that has to prove its key, and return a keytab with that."""
        self.administer(f"addprinc -randkey +requires_preauth {principal}")
        keytab = self.folder / f"{principal.replace('/', '_')}.keytab"
        self.administer(f"ktadd -norandkey -k {keytab} {principal}")
        return keytab

    def administer(self, query: str) -> None:
        """Let the realm's administrator do something."""
        self.run("kadmin.local", "-r", REALM, "-q", query)

    def run(self, name: str, *arguments: str) -> None:
        """Run one of its programs to a good end."""
        ended = subprocess.run([program(name), *arguments], env=self._environ, capture_output=True, text=True)
        assert ended.returncode == 0, f"{name} {arguments}: {ended.stdout}{ended.stderr}"

    @property
    def _environ(self) -> dict[str, str]:
        return {**os.environ, **self.environ, "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, f"krb5kdc has ended; its log:\n{self.log}"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=ENDING_SECONDS).close()
        except OSError:
            return False
        return True


def program(name: str) -> str:
    """The path of one of MIT Kerberos's programs, which the tests need and do not go without."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, f"{name} is not installed here; `make services` as root on Debian installs it"
    return found
