"""5-Layer Runtime: a founder employs, bounds, audits and evaluates AI workers."""
