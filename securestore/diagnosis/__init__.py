"""What `doctor` looks at beside store and keys: `probes` has the list.

Each probe changes nothing that lasts: the cache entry that one of them writes expires by itself.
"""
