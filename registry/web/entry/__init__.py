"""Forms of a patient filled in and corrected, their drafts and conflicts. Calls review and shared.

A step calls only those behind it: views, editing, storing, page, drafts and conflicts, sheet.
"""
