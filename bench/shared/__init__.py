"""What measurements share: a registry of any size, a server and its visitors, tables of documents, the layers drawn."""
