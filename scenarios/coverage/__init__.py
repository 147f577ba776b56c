"""How often intervals hold the truth, and null sites are flagged, over many drawn worlds of known answers."""
