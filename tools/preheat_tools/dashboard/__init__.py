"""The template's CloudWatch dashboard, drawn from the local cloud: every row and every query of it is really asked."""
