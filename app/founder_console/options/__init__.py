"""The founder's settings: channels, language and looks, secrets, tools from outside."""
