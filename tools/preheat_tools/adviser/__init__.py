"""What keeping a function warm is worth: strategies side by side on its own traffic, and what the warmer has saved."""
