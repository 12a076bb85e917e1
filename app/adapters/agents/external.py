"""An agent outside, of any make: it proposes over the API or MCP, and this engine does what it proposes, in order."""

from app.canon.agent import Finished, StepContext


class ExternalWorker:
    """Each proposal is one step of the run, through the same gate as any worker's. Without one the run rests."""

    name = "external"

    async def work(self, ctx: StepContext) -> Finished:
        number = 1
        while True:
            proposed = await ctx.proposal(number)
            if isinstance(proposed, Finished):
                return proposed
            await ctx.call_tool(proposed.name, proposed.arguments)
            number += 1
