"""A study's protocol as data: its expression language and its own instruments, read, checked and written. No framework.

May call `registry.instruments`; nothing else of the product.
"""
