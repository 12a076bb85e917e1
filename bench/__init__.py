"""Measured figures beside their bars (docs/numbers.md), as ratios taken side by side in one run."""
