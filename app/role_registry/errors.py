"""What befalls a caller of the role registry."""

from uuid import UUID

from app.canon.errors import Conflict, NotFound, Stale


class CompanyUnknown(NotFound):
    """This tenant has no company yet."""

    code = "company.unknown"


class CompanyExists(Conflict):
    """This tenant has its company already."""


class RoleUnknown(NotFound):
    """This tenant has no role of that id."""

    code = "role.unknown"

    def __init__(self, role_id: UUID) -> None:
        super().__init__(f"there is no role {role_id}", role_id=str(role_id))


class RoleStale(Stale):
    """The role has a newer contract than the one seen."""

    code = "role.stale"

    def __init__(self, role_id: UUID, seen: int, version: int) -> None:
        said = f"the role is at version {version}, you saw {seen}: read it again and repeat"
        super().__init__(said, role_id=str(role_id), version=version)


class NameTaken(Conflict):
    """Another role that is not retired has this name."""

    code = "role.name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"another role is called {name!r}: choose another name, or retire that one", name=name)


class NotInForce(Conflict):
    """The role has no contract that anyone may act under: not signed yet, or retired."""

    code = "role.not_in_force"

    def __init__(self, role_id: UUID, status: str) -> None:
        super().__init__(f"the role is {status}: no contract of it is in force", role_id=str(role_id), status=status)


class RoleMoveRefused(Conflict):
    """The role cannot go from the state it is in to the one asked for."""

    code = "role.move"

    def __init__(self, role_id: UUID, status: str, to: str) -> None:
        super().__init__(f"a role that is {status} cannot become {to}", role_id=str(role_id), status=status)


class PartyUnknown(NotFound):
    """This tenant has no known party of that id."""


class PartyKnown(Conflict):
    """A party with this address is known already."""


class StepSettled(Conflict):
    """The step's budget was settled already: it has been carried out."""


class SecretUnknown(NotFound):
    """This tenant has no secret of that name, or the role may not use it."""

    code = "secret.unknown"


class ServerUnknown(NotFound):
    """This tenant has no tool server of that name."""

    code = "server.unknown"
