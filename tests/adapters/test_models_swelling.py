"""Model endpoints whose answers swell: little memory, and a clear word."""

import gzip
import json
import tracemalloc

import pytest
import zstandard

from app.canon.model import ModelFailed
from tests.adapters.endpoints import Reply, endpoint, said
from tests.adapters.test_models_client import ASK, Waits, client

SWOLLEN_BYTES = 128 << 20
MOST_HELD_BYTES = 100 << 20
BLANKS = bytes(SWOLLEN_BYTES)


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize(
    ("packing", "raw"),
    [
        ("zstd", zstandard.compress(BLANKS)),
        ("gzip, gzip", gzip.compress(gzip.compress(BLANKS))),
        ("gzip", gzip.compress(BLANKS)),
    ],
    ids=["zstd", "twice", "gzip"],
)
async def test_an_answer_that_swells_does_not_fill_the_memory(status: int, packing: str, raw: bytes) -> None:
    reply = Reply(status=status, raw=raw, headers={"content-encoding": packing})
    with endpoint(reply) as there:
        async with client(there, pause=Waits()) as model:
            tracemalloc.start()
            try:
                with pytest.raises(ModelFailed):
                    await model.complete(ASK)
                assert tracemalloc.get_traced_memory()[1] < MOST_HELD_BYTES
            finally:
                tracemalloc.stop()


async def test_a_packed_answer_is_read() -> None:
    reply = said("halo")
    packed = Reply(raw=gzip.compress(json.dumps(reply.body).encode()), headers={"content-encoding": "gzip"})
    with endpoint(packed) as there:
        async with client(there) as model:
            assert (await model.complete(ASK)).model == "gpt-4o"
