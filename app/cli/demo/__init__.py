"""The demo: a small coffee company with three AI workers and ten tickets, on real files in usual formats."""
