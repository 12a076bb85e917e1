"""What never changes: the Laws, the gate's decision, protocols and shared words. Imports nothing of ours above it."""
