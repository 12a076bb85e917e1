"""Ways to reach a founder: push, Telegram, e-mail, webhooks; quiet hours and the ladder of escalation."""
