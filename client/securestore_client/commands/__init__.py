"""The commands, by subject: each parses nothing, asks the API, and tells."""
