"""Who is at the door: links, passkeys, device keys, sessions, recovery, people and their mandates."""
