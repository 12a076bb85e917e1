"""What the handlers of this room share on the wire: who may, paging, examples."""

from typing import Annotated, Any, TypeAlias

from litestar.openapi.spec import Example
from litestar.params import Body, BodyKwarg, QueryParameter

from app.canon.vocabulary import Rol

READERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.SERVICE)
DECIDERS = (Rol.FOUNDER, Rol.DEPUTY)

Cursor: TypeAlias = Annotated[str | None, QueryParameter(description="`next_cursor` of a page", max_length=200)]
Limit: TypeAlias = Annotated[int, QueryParameter(description="Items on the page", ge=1, le=200)]


def example(**value: Any) -> BodyKwarg:
    """A request body's example for OpenAPI."""
    body: BodyKwarg = Body(examples=[Example(value=value)])
    return body
