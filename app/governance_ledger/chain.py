"""The hash chain, as the verifier computes it."""

from app.verifier.chain import genesis, leaf_of, link

__all__ = ["genesis", "leaf_of", "link"]
