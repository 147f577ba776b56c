"""Evaluation: judges that err with style, position and family, few human labels, and what still follows from them."""
