"""Links for people outside: who has the URL comes in, and nobody else (`docs/links.md`)."""
