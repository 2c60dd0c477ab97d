"""What the README says does not work yet is refused with an import error, and not ignored."""

from pathlib import Path

import pytest

from flowd.sdk.dag_file import load
from tests.docs.pages import ROOT

HEAD = "from datetime import datetime\nfrom airflow.sdk import DAG, task_group\n"
BODY = "with DAG('d', start_date=datetime(2026, 1, 1)):\n    @task_group\n    def group(item): ...\n"
NOT_YET = {
    "mapped task groups": (
        f"{HEAD}{BODY}    group.expand(item=[1, 2])\n",
        "is mapped, which this version of flowd cannot run",
    ),
}


@pytest.mark.parametrize("feature", NOT_YET)
def test_what_is_not_there_yet_is_an_import_error_that_says_so(feature: str, tmp_path: Path) -> None:
    source, said = NOT_YET[feature]
    (tmp_path / "wanted.py").write_text(source)

    with pytest.raises(Exception, match=said):
        load(str(tmp_path), "wanted.py")

    assert feature in (ROOT / "README.md").read_text()
