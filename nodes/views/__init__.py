"""Pages of the inventory: thin. They parse, ask who may, call a service and render."""
