"""Key export 1: the keys of many files in one encrypted file, for the day the database is lost.

A header says how the export's own key is protected; then follows an object of stream format 1 whose
plaintext is the entries. ``docs/stream-format.md``, "Key export", has the layout. ``header`` and
``entries`` are what is in it, ``writing`` and ``reading`` the two ways.
"""
