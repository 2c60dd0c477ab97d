"""BaseOperatorLink: a link from a task to a page of an outside system."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class BaseOperatorLink(ABC):
    """A link of an operator's tasks, to be named in `operator_extra_links`. flowd's pages do not show them yet."""

    operators: ClassVar[list[type]] = []

    @property
    @abstractmethod
    def name(self) -> str:
        """What the link's button says."""

    @property
    def xcom_key(self) -> str:
        """The XCom under which a task may push where the link leads."""
        return f"_link_{type(self).__name__}"

    @abstractmethod
    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return where the link leads, of the task instance of this key."""
