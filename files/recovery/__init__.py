"""What saves a vault: backups, drills of them, key export and import, moving the database.

Must never write to the vault that it saves, but for what an import or a move is asked to.
"""
