"""A founder's decision: approve, reject, edit, several at once, a standing rule."""
