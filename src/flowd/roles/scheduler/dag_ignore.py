"""IgnoreFile: the rules of an .airflowignore or .flowdignore.

The syntax is that of .gitignore, as Airflow 3's default. A comment `# syntax: regexp` in the file makes every line a
regular expression that is searched for in the path from the DAG folder on, as Airflow 2's default.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

_SYNTAX = re.compile(r"#\s*syntax:\s*(\w+)\s*$", re.IGNORECASE)
_CLASS = re.compile(r"\[(!?)(\]?[^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: paths that `matches` accepts are ignored, or with `is_negated` not ignored after all."""

    matches: Callable[[str], object]
    is_negated: bool = False
    only_folders: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreFile:
    """The rules of one file, which hold for `base` (its folder, relative, "" for the DAG folder) and all below it."""

    base: str
    rules: tuple[Rule, ...]
    is_regexp: bool
    problems: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, base: str) -> Self:
        """Return the rules of `text`. A line that cannot be read is left out, and named in `problems`."""
        lines = text.splitlines()
        is_regexp = any((found := _SYNTAX.match(line)) and found[1].lower() in ("regexp", "regex") for line in lines)
        rules: list[Rule] = []
        problems: list[str] = []
        for number, line in enumerate(lines, start=1):
            try:
                rule = _regexp_rule(line) if is_regexp else _glob_rule(line)
            except re.error as error:
                problems.append(f"line {number}: {line.strip()!r} is no pattern ({error}): correct or remove it")
            else:
                rules += [rule] if rule else []
        return cls(base=base, rules=tuple(rules), is_regexp=is_regexp, problems=tuple(problems))

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """Say whether `path`, which lies below `base`, is ignored; None where no rule is about it. The last wins."""
        subject = path if self.is_regexp or not self.base else path[len(self.base) + 1 :]
        answer: bool | None = None
        for rule in self.rules:
            if (is_folder or not rule.only_folders) and rule.matches(subject):
                answer = not rule.is_negated
        return answer


def is_ignored(path: str, files: Iterable[IgnoreFile], *, is_folder: bool) -> bool:
    """Say what the files, outermost first, decide together: the innermost that has a rule about the path."""
    answer = False
    for file in files:
        verdict = file.verdict(path, is_folder=is_folder)
        answer = answer if verdict is None else verdict
    return answer


def _regexp_rule(line: str) -> Rule | None:
    pattern = line.split("#", 1)[0].strip()
    return Rule(re.compile(pattern).search) if pattern else None


def _glob_rule(line: str) -> Rule | None:
    pattern = line.strip()
    if not pattern or pattern.startswith("#"):
        return None
    is_negated = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    only_folders = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    # A slash at the beginning or in the middle ties a pattern to the folder of its file.
    is_anchored = "/" in pattern
    prefix = "" if is_anchored else "(?:.*/)?"
    return Rule(re.compile(prefix + _regex(pattern.lstrip("/"))).fullmatch, is_negated, only_folders)


def _regex(glob: str) -> str:
    parts: list[str] = []
    at = 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/"):
            parts.append("(?:.*/)?")
            at += 3
        elif rest.startswith("**"):
            parts.append(".*")
            at += 2
        elif rest[0] == "*":
            parts.append("[^/]*")
            at += 1
        elif rest[0] == "?":
            parts.append("[^/]")
            at += 1
        elif rest[0] == "[" and (found := _CLASS.match(rest)):
            body = found[2].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"[{'^' if found[1] else ''}{body}]")
            at += found.end()
        else:
            literal = rest[1:2] if rest[0] == "\\" else rest[0]
            parts.append(re.escape(literal))
            at += 2 if rest[0] == "\\" else 1
    return "".join(parts)
