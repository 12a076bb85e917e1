"""Models over the chat-completions protocol: one client for every endpoint, and a scripted endpoint for demos."""
