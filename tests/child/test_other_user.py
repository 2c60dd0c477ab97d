"""run_as_user: a process becomes another user for good, or says why it cannot."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from flowd.child.other_user import become
from flowd.sdk.exceptions import AirflowFailException

NOBODY = "nobody"
PROGRAM = """
import os, sys
from pathlib import Path
from flowd.child.other_user import become
become(sys.argv[1])
Path("mine").write_text("x")
try:
    os.setuid(0)
    print("root again")
except PermissionError:
    print(os.getuid(), os.geteuid(), os.getgid(), os.environ["USER"], Path("mine").owner())
become(sys.argv[2])
"""
TICKET_PROGRAM = """
import os
from pathlib import Path
from flowd.child.other_user import become
become("nobody")
copy = Path(".krb5cc")
print(os.environ["KRB5CCNAME"])
if copy.exists():
    print(copy.owner(), oct(copy.stat().st_mode & 0o777), copy.read_text())
"""


def test_a_user_that_is_not_there_is_named() -> None:
    with pytest.raises(AirflowFailException, match="run_as_user='nobody-here': there is no such user on this worker"):
        become("nobody-here")


def test_a_process_that_is_this_user_already_stays_what_it_is() -> None:
    before = os.getresuid()

    become(pwd.getpwuid(os.geteuid()).pw_name)

    assert os.getresuid() == before


def test_a_process_of_root_becomes_the_user_and_cannot_go_back(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        with pytest.raises(AirflowFailException, match="only root can become another user"):
            become(NOBODY)
        return
    account = pwd.getpwnam(NOBODY)

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, NOBODY, "root"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    uid, gid = str(account.pw_uid), str(account.pw_gid)
    assert ended.stdout.split() == [uid, uid, gid, NOBODY, NOBODY], ended.stderr
    assert "run_as_user='root': this worker runs as nobody, and only root can become another user" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("cache", "is_there", "printed"),
    [
        ("{node}", True, ["FILE:{own}", "nobody 0o600 a ticket"]),
        ("{node}", False, ["FILE:{own}"]),
        ("{folder}/of-roots-own", True, ["FILE:{folder}/of-roots-own"]),
    ],
    ids=["the node's", "the node's, which has none yet", "another one"],
)
def test_another_user_gets_a_copy_of_the_nodes_ticket_and_of_no_other(
    tmp_path: Path, cache: str, is_there: bool, printed: list[str]
) -> None:
    (tmp_path / "work").mkdir()
    words = {"folder": tmp_path, "node": tmp_path / "krb5cc", "own": tmp_path / "work" / ".krb5cc"}
    if is_there:
        (tmp_path / "krb5cc").write_text("a ticket")
    environ = {
        **os.environ,
        "KRB5CCNAME": f"FILE:{cache.format(**words)}",
        "AIRFLOW__KERBEROS__CCACHE": str(tmp_path / "krb5cc"),
    }

    ended = subprocess.run(
        [sys.executable, "-c", TICKET_PROGRAM],
        cwd=tmp_path / "work",
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout.splitlines() == [line.format(**words) for line in printed], ended.stderr
