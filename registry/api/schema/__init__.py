"""The API as a document: OpenAPI, its page, examples, the root. Calls shared."""
