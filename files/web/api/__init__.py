"""The API for programs, below `/api/v1/`: each operation parses, and calls the use case of a page.

Must never hold a rule: what a token may is `files.access`, and what an act does is its use case's.
Every refusal is a problem with a stable code (`problems`); every operation is in the schema.
"""
