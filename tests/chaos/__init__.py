"""Killing every process of the product at random, and counting what became of the work: `python -m tests.chaos`."""
