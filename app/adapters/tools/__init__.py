"""The tools every runtime has. Specifications are light; a tool loads its library when it is first used."""

from collections.abc import Mapping, Sequence

from app.adapters.tools.documents import WriteDocumentTool, WriteNoteTool
from app.adapters.tools.email import SendEmailTool
from app.adapters.tools.http import HttpGetTool, HttpRequestTool
from app.adapters.tools.inputs import ListInputsTool, ReadInputTool
from app.adapters.tools.payments import OrderPaymentTool
from app.adapters.tools.python import RunPythonTool
from app.adapters.tools.revenue import RecordRevenueTool
from app.adapters.tools.table import DescribeTable, QueryTable, TableFiles
from app.adapters.tools.tickets import OpenTicketTool
from app.canon.tool import Tool

__all__ = ["load_tools"]


def load_tools(
    *, smtp_url: str | None = None, mail_from: str = "worker@localhost", allow_private: Sequence[str] = ()
) -> Mapping[str, Tool]:
    """Every built-in tool by its name.

    `smtp_url` is `smtp://` or `smtps://` with user, password, host and port; None makes `send_email` fail with a
    sentence. `allow_private` lists `host` or `host:port` that HTTP may reach although the address is private.
    """
    tables = TableFiles()
    tools: tuple[Tool, ...] = (
        ListInputsTool(),
        ReadInputTool(),
        DescribeTable(tables),
        QueryTable(tables),
        RunPythonTool(),
        WriteDocumentTool(),
        WriteNoteTool(),
        OpenTicketTool(),
        RecordRevenueTool(),
        OrderPaymentTool(),
        SendEmailTool(smtp_url, mail_from),
        HttpGetTool(tuple(allow_private)),
        HttpRequestTool(tuple(allow_private)),
    )
    return {tool.spec.name: tool for tool in tools}
