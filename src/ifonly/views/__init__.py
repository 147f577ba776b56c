"""View models: what the terminal, the JSON and the page show, worked out once. Imports no torch."""
