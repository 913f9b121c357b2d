"""The image built and exercised as compose.yaml runs it, confinement included: `bin/test-image`."""
