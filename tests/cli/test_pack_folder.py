"""A folder as an archive: what is in it and what is not, and what is refused."""

from pathlib import Path

import pytest

from flowd.cli.pack_folder import pack_folder
from flowd.domain.errors import InvalidInput, NotFound
from flowd.roles.bundle_archive import unpack

MOST = 10_000_000


def a_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "team"
    (folder / "sub" / "__pycache__").mkdir(parents=True)
    (folder / "sub" / "__pycache__" / "a.pyc").touch()
    (folder / ".git").mkdir()
    (folder / ".git" / "config").touch()
    (folder / ".env").write_text("SECRET=1")
    (folder / "etl.py").write_text("etl")
    (folder / "sub" / "helper.py").write_text("helper")
    (folder / "sub" / ".airflowignore").write_text("helper")
    (folder / ".flowdignore").write_text("large.bin")
    (folder / "large.bin").write_text("large")
    return folder


def test_hidden_and_ignored_files_stay_here_and_what_says_so_goes_along(tmp_path: Path) -> None:
    packed = pack_folder(str(a_folder(tmp_path)))

    assert unpack(packed.archive, most_bytes=MOST).keys() == {
        "etl.py",
        "sub/helper.py",
        "sub/.airflowignore",
        ".flowdignore",
    }
    assert packed.files == 2


def test_the_same_files_are_the_same_archive_wherever_and_whenever_they_were_written(tmp_path: Path) -> None:
    one, two = pack_folder(str(a_folder(tmp_path / "a"))), pack_folder(str(a_folder(tmp_path / "b")))

    assert one == two


def test_a_link_within_the_folder_is_packed_as_its_file_and_one_out_of_it_is_refused(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / "linked.py").symlink_to(folder / "etl.py")
    within = unpack(pack_folder(str(folder)).archive, most_bytes=MOST)

    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out.py").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(InvalidInput, match=r"out\.py is a link out of the folder"):
        pack_folder(str(folder))

    (folder / "out.py").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.py").touch()
    (folder / "sub" / "elsewhere").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match=r"sub/elsewhere/x\.py is a link out of the folder"):
        pack_folder(str(folder))
    assert within["linked.py"] == b"etl"


def test_what_is_no_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no folder"):
        pack_folder(str(tmp_path / "nowhere"))
