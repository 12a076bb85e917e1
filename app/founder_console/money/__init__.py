"""What the company earns and spends: the scorecard, targets, rates, payments of providers."""
