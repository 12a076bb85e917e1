"""DER (X.690), as far as time stamps need it: reading only, definite lengths only."""

from typing import NamedTuple

INTEGER, OCTETS, OID, TIME, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x18, 0x30, 0x31


class NotDer(ValueError):
    """The bytes are not the DER that was expected."""


class Node(NamedTuple):
    """A value: its tag, its content, and all of its bytes."""

    tag: int
    content: bytes
    whole: bytes

    def parts(self) -> list["Node"]:
        """What a constructed value is made of. Raises `NotDer`."""
        found, rest = [], self.content
        while rest:
            node = _first(rest)
            found.append(node)
            rest = rest[len(node.whole) :]
        return found

    def of(self, tag: int) -> "Node":
        """Itself. Raises `NotDer` when it has another tag."""
        if self.tag != tag:
            raise NotDer(f"tag {self.tag:#x} where {tag:#x} belongs")
        return self

    def number(self) -> int:
        return int.from_bytes(self.of(INTEGER).content, "big", signed=True)

    def dotted(self) -> str:
        """An object identifier. Raises `NotDer`."""
        numbers, value = [], 0
        for byte in self.of(OID).content:
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(value)
                value = 0
        if not numbers:
            raise NotDer("an empty object identifier")
        top = min(numbers[0] // 40, 2)
        return ".".join(map(str, (top, numbers[0] - 40 * top, *numbers[1:])))


def read(data: bytes) -> Node:
    """The one value that the bytes are. Raises `NotDer`."""
    node = _first(data)
    if len(node.whole) != len(data):
        raise NotDer("something follows the value")
    return node


def _first(data: bytes) -> Node:
    if len(data) < 2 or data[0] & 0x1F == 0x1F:
        raise NotDer("no value")
    size, at = data[1], 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or len(data) < 2 + count:
            raise NotDer("no definite length")
        size, at = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if len(data) < at + size:
        raise NotDer("the value ends too early")
    return Node(data[0], data[at : at + size], data[: at + size])
