"""The door at which a messenger tells what people wrote to our bot, in place of our asking."""

import hmac
import logging
from http import HTTPStatus
from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import State

from app.auth import b64url
from app.canon.notice import NoticeFailed
from app.founder_console.keyfiles import Seal

PATH = "/hooks/telegram"
MOST_BYTES = 256 * 1024
HEADER = "x-telegram-bot-api-secret-token"
PURPOSE = "flr telegram hook v1"

_LOG = logging.getLogger("flr.desk")


def hook_secret(seal: Seal, token: str) -> str:
    """What comes beside everything that is posted: the same in every process, known to nobody else."""
    return b64url(seal.mac(PURPOSE, token.encode()))


@post(
    PATH,
    status_code=HTTPStatus.OK,
    exclude_from_auth=True,
    include_in_schema=False,
    request_max_body_size=MOST_BYTES,
)
async def hear(request: Request[Any, Any, State]) -> Response[None]:
    """200 for all that need not come again: a press that cannot be taken was answered in the chat.

    401 without the secret, 404 where the bot is asked instead.
    """
    state = request.app.state
    token, chats = state.settings.telegram_token, state.senders.chats
    if chats is None or token is None or state.settings.telegram_updates != "webhook":
        return Response(None, status_code=HTTPStatus.NOT_FOUND)
    wanted = hook_secret(state.seal, token)
    if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), wanted.encode()):
        return Response(None, status_code=HTTPStatus.UNAUTHORIZED)
    try:
        await state.desk.on_heard(chats.read(await request.body()))
    except NoticeFailed as error:
        _LOG.warning("%s", error)
    return Response(None)


ROUTES = (hear,)
