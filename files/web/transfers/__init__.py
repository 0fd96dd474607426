"""HTTP in and out: bodies that become files, files that become bodies. Knows no keys."""
