"""Regular expressions that a founder may write: a subset in which no value can make matching slow.

Literals, classes, `.`, groups, `|`, `?`, `*`, `+`, `{m,n}` and the escapes `\\d \\w \\s \\D \\W \\S` or of a sign.
A group that is repeated may hold no repetition of varying length and no alternative, and the ways to try a value are
bounded. No look-around, no references back.
"""

import re
from functools import lru_cache

MAX_PATTERN = 200
MAX_VALUE = 200
MAX_WAYS = 8 * MAX_VALUE**3
_COUNT = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}")
_ESCAPES = frozenset("dwsDWS")


class _Refused(Exception):
    pass


class _Reader:
    """Reads a pattern once, left to right; `ways` bounds how many ways a value of full length can be tried."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.ways = 1

    def peek(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def take(self) -> str:
        character = self.peek()
        self.position += 1
        return character

    def choose(self, ways: int) -> bool:
        """Note a choice of `ways`; True when it is one."""
        self.ways *= ways
        if self.ways > MAX_WAYS:
            raise _Refused("has too many repetitions or choices: at most three of * and +, fewer with ? and |")
        return ways > 1

    def alternatives(self, depth: int) -> bool:
        """True when what was read can match in more than one way."""
        if depth > 10:
            raise _Refused("has more than 10 nested groups")
        loose, count = self.sequence(depth), 1
        while self.peek() == "|":
            self.take()
            self.sequence(depth)
            count += 1
        return self.choose(count) or loose

    def sequence(self, depth: int) -> bool:
        loose = False
        while self.peek() and self.peek() not in "|)":
            inside = self.atom(depth)
            ways, times = self.repetition()
            if inside and times > 1:
                raise _Refused("repeats a group that itself repeats or chooses")
            loose = self.choose(ways) or loose or inside
        return loose

    def atom(self, depth: int) -> bool:
        character = self.take()
        if character == "(":
            return self.group(depth)
        if character == "[":
            self.character_class()
        elif character == "\\":
            self.escape()
        elif character in "*+?{":
            raise _Refused(f"repeats nothing at position {self.position}")
        return False

    def group(self, depth: int) -> bool:
        if self.peek() == "?":
            if self.pattern[self.position : self.position + 2] != "?:":
                raise _Refused("uses a special group: only ( ) and (?: ) are allowed")
            self.position += 2
        loose = self.alternatives(depth + 1)
        if self.take() != ")":
            raise _Refused("has a group that is not closed")
        return loose

    def character_class(self) -> None:
        if self.peek() == "^":
            self.take()
        if self.peek() == "]":
            self.take()
        while (character := self.take()) != "]":
            if not character:
                raise _Refused("has a class that is not closed")
            if character == "\\":
                self.escape()
            elif character == "[" or (character in "-&~|" and character == self.peek()):
                raise _Refused(f"has {character!r} in a class where Python may read a set operation: escape it")

    def escape(self) -> None:
        character = self.take()
        if not character:
            raise _Refused("ends in a backslash")
        if character.isalnum() and character not in _ESCAPES:
            raise _Refused(f"uses \\{character}: only \\d \\w \\s \\D \\W \\S and escaped signs are allowed")

    def repetition(self) -> tuple[int, int]:
        """In how many lengths the atom may repeat, and how often at most."""
        sign = self.peek()
        if not sign or sign not in "*+?{":
            return 1, 1
        if sign == "{":
            found = self.counted()
        else:
            self.take()
            found = (2, 1) if sign == "?" else (MAX_VALUE, MAX_VALUE)
        if self.peek() and self.peek() in "*+?{":
            raise _Refused("repeats a repetition")
        return found

    def counted(self) -> tuple[int, int]:
        found = _COUNT.match(self.pattern, self.position)
        if found is None:
            raise _Refused("has a brace that is no count: write \\{ for the sign")
        self.position = found.end()
        least = int(found[1])
        most = int(found[3]) if found[3] else MAX_VALUE if found[2] else least
        if max(least, most) > MAX_VALUE:
            raise _Refused(f"counts beyond {MAX_VALUE}")
        return max(1, most - least + 1), most


@lru_cache(maxsize=1024)
def pattern_problem(pattern: str) -> str | None:
    """Why this pattern is not accepted, as the end of a sentence; None when it is."""
    if len(pattern) > MAX_PATTERN:
        return f"is longer than {MAX_PATTERN} characters"
    reader = _Reader(pattern)
    try:
        reader.alternatives(0)
        if reader.peek():
            return "closes a group that was not opened"
        re.compile(pattern)
    except _Refused as refused:
        return str(refused)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    return None


def matches(pattern: str, value: str) -> bool:
    """The whole value matches. Longer than 200 characters, or under a pattern that is not accepted: no."""
    if len(value) > MAX_VALUE or pattern_problem(pattern) is not None:
        return False
    return re.fullmatch(pattern, value) is not None
