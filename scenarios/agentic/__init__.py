"""Worlds and scenarios of agentic workflows: retrieval, critics, retries, outages, injections, routing."""
