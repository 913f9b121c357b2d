"""Pages: one room for each thing that people do, each with its own addresses, views, forms and words.

Rooms call down: start and links → entry → review → the others → shared. `registry.urls` lists their addresses.
"""
