"""Who may read what: granting, owning, explaining it, and what was refused.

Changes grants and owners, and tells of them. Must never decide by a rule of its own: that is
`files.access`.
"""
