"""Downloads: written beside, compared by digest, and only then renamed.

Nothing under a file's own name is ever half a file.
"""
