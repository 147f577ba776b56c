"""Alignment: what annotators and judges like about an answer, its content or its style."""
