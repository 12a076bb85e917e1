"""A backbone without a framework: the journal alone carries the run."""

from uuid import UUID

from app.canon.agent import Beat, Beats, Finished


class PlainBackbone:
    """Route, act, close. Keeps nothing: every drive starts over and the journal replays what is done."""

    name = "plain"

    def __init__(self, database_url: str = "") -> None:
        del database_url

    async def drive(self, run_id: UUID, beats: Beats) -> Beat:
        del run_id
        await beats.route()
        beat = await beats.act()
        if isinstance(beat, Finished):
            await beats.close(beat)
        return beat

    async def close(self) -> None:
        """Nothing was opened."""
