"""What an operator has done again and again: sweeping, reconciliation, verification, diagnosis.

Finds what is not as it should be. Must never delete what a row still needs.
"""
