"""What rows obey below the use cases: names, order, pages, search, leases, derived columns.

Must never touch the store or a key, nor decide who may see a row.
"""
