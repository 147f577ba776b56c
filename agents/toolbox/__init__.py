"""Tools made of Python functions, what executing them changes, and the environment they make."""
