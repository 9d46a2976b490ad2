"""From a model to a model pack: a folder from which an inference function starts at the limit."""
