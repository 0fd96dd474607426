"""The vault: files, who may read them, and how their bytes come in and go out."""
