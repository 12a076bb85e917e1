"""What messages do here: they wake. The tables say what is to be done."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from app.execution_graph.executor import Executor
from app.execution_graph.runs import start_run, wake_paused, wake_waiting
from app.messages import ApprovalDecided, Message, RoleResumed, RunWanted, TicketOpened
from app.role_registry import NotInForce, RoleUnknown
from app.work_queue import Handler, get_ticket, move_ticket

M = TypeVar("M", bound=Message)

_SYSTEM = "system:execution_graph"
_NOT_EMPLOYED = "The role is not employed: give the ticket to another role."


def handlers(executor: Executor) -> Mapping[str, Handler]:
    """Handlers by entrypoint, over `executor`. Each opens its own transactions and may be called twice."""
    return {
        "ticket_opened": _only(TicketOpened, lambda message: _on_ticket_opened(executor, message)),
        "run_wanted": _only(RunWanted, lambda message: _on_run_wanted(executor, message)),
        "approval_decided": _only(ApprovalDecided, lambda message: _on_approval_decided(executor, message)),
        "role_resumed": _only(RoleResumed, lambda message: _on_role_resumed(executor, message)),
    }


def _only(kind: type[M], handle: Callable[[M], Awaitable[None]]) -> Handler:
    async def checked(message: Message) -> None:
        if isinstance(message, kind):
            await handle(message)

    return checked


async def _on_ticket_opened(executor: Executor, message: TicketOpened) -> None:
    runtime = executor.runtime
    async with runtime.database.transaction(message.tenant) as tx:
        ticket = await get_ticket(tx, message.ticket_id)
        if ticket.status != "open":
            return
        try:
            run = await start_run(
                tx,
                ticket.id,
                actor=_SYSTEM,
                defaults=runtime.defaults,
                tools={name: tool.spec for name, tool in runtime.tools.items()},
                undo_seconds=runtime.undo_seconds,
            )
        except (NotInForce, RoleUnknown):
            await move_ticket(tx, ticket.id, "returned", actor=_SYSTEM, result=_NOT_EMPLOYED)
            return
    executor.wake(message.tenant, run.id)


async def _on_run_wanted(executor: Executor, message: RunWanted) -> None:
    executor.wake(message.tenant, message.run_id)


async def _on_approval_decided(executor: Executor, message: ApprovalDecided) -> None:
    async with executor.runtime.database.transaction(message.tenant) as tx:
        waiting = await wake_waiting(tx, message.approval_id, message.run_id)
    for run_id in waiting:
        executor.wake(message.tenant, run_id)


async def _on_role_resumed(executor: Executor, message: RoleResumed) -> None:
    async with executor.runtime.database.transaction(message.tenant) as tx:
        paused = await wake_paused(tx, message.role_id)
    for run_id in paused:
        executor.wake(message.tenant, run_id)
