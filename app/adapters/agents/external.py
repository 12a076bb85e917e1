"""An agent outside, of any make: it proposes over the API or MCP, and this engine does what it proposes, in order."""

import msgspec

from app.canon.agent import Finished, PartFull, StepContext


class ExternalWorker:
    """Each proposal is one step of the run, through the same gate as any worker's. Without one the run rests."""

    name = "external"

    async def work(self, ctx: StepContext) -> Finished:
        handover = ctx.task.handover
        number = 1 if handover is None else msgspec.convert(handover.bookmark, int)
        while True:
            proposed = await ctx.proposal(number)
            if isinstance(proposed, Finished):
                return proposed
            try:
                await ctx.call_tool(proposed.name, proposed.arguments)
            except PartFull as full:
                full.bookmark = number
                raise
            number += 1
