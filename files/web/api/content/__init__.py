"""The bytes of a file in one request, in and out, for programs (`docs/api.md`)."""
