"""The ledger on the screen: search, one event and its proof."""
