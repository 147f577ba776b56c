"""Tool environments: adapters that execute tool calls again."""
