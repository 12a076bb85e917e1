"""AI employees on the screen: hiring, contracts, the trail of their work, tickets for them."""
