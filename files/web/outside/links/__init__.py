"""The pages of a link, for whoever has its URL (`docs/links.md`): its door, what it leads to."""
