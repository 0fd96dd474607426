"""The one rule of who may do what with which file and folder: `rule`, and how it is asked."""
