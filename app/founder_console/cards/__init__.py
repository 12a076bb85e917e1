"""What waits for a decision, as a card; and the story of a ticket."""
