"""Lists: which files a page shows, in which order, and how a search finds them.

However many files there are, a page costs the same. Must never decide who may see a file: whatever
is proposed here is asked of `files.access`.
"""
