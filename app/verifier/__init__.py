"""The offline verifier: exports and case files, checked from their bytes and a public key.

Imports nothing else of the application, no database, no web framework: `cryptography` and `zstandard` suffice. Copy
this package to any machine and run `python -m app.verifier FILE --key KEY`. What it checks is written down in
docs/ledger-format.md.
"""
