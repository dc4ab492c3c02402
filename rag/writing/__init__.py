"""A draft to its answer: what is sent to which model, within what time, once for all who ask."""
