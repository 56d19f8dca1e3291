"""`/console`: pages for academy staff and operators."""
